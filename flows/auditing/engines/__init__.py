"""What works on an audit's shards: this process, or a Ray cluster."""
