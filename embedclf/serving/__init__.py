"""An HTTP service: predictions and explanations of one or several runs."""
