"""One picture on many workers, by Dask: processes of this machine, or of a cluster."""
