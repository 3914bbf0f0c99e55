"""The API, its jobs and its workers: `reel serve`. It makes videos with `generate` and never trains."""
