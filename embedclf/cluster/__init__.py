"""Work that is spread over the processes of a Dask cluster, on one machine or many."""
