"""From a topic to batches: the broker side, decoding, the streamz source and what feeds a project."""
