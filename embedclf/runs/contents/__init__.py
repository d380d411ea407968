"""What the files of a run contain, checked before anything uses it.

A checksum that fits says that a file is as somebody wrote it, not that embedclf wrote it. Whoever
reads these values can rely on their types and ranges, and on nothing else.
"""
