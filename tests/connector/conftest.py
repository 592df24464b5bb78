from __future__ import annotations

import pytest


@pytest.fixture
def topic(local_broker, create_topic, topic_name):
    """A topic of two partitions."""
    return create_topic(local_broker, topic_name, 2)
