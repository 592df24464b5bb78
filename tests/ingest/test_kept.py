from __future__ import annotations

import gc
import weakref

import pytest
from streamz import Stream

from smlnb import Project
from smlnb.ingest.kept import Kept


@pytest.fixture
def project():
    return Project("p", types="C")


def test_a_project_learns_although_no_variable_holds_the_node(project):
    source = Stream()
    source.learn(project)
    source.map(dict).learn(Project("q", types="C")).map(dict).learn(project)
    gc.collect()
    source.emit({"x": [1.0]})
    assert project.n == 2


def test_of_several_sources_each_holds_the_node(project):
    one, other = Stream(), Stream()
    one.union(other.map(dict)).learn(project)
    gc.collect()
    one.emit({"x": [1.0]})
    other.emit({"x": [2.0]})
    assert project.n == 2


def test_a_destroyed_node_learns_no_more_and_is_forgotten(project):
    source = Stream()
    node = source.map(dict).learn(project)
    node.destroy()
    node.destroy()
    gone = weakref.ref(node)
    del node
    gc.collect()
    source.emit({"x": [1.0]})
    assert project.n == 0
    assert gone() is None


def test_a_node_ends_with_its_source():
    source = Stream()
    gone = weakref.ref(Kept(source))
    gc.collect()
    assert gone() is not None
    del source
    gc.collect()
    assert gone() is None
