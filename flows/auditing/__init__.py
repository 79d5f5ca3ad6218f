"""Watch lists judged shard by shard, resumed, verified, compared and exported."""
