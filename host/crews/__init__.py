"""Who does work that is cut into jobs: this process, or the workers of a Dask cluster."""
