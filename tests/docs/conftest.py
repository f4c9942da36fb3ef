"""A reader who follows what is printed, in an environment that has the package and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.distribution import Distribution
from tests.distribution import distribution as distribution
from tests.docs.project import ReadersProject, readers_project


@pytest.fixture
def reader(distribution: Distribution, tmp_path: Path) -> Iterator[ReadersProject]:
    environment = distribution.environment(f"reader-{tmp_path.parent.name}-{tmp_path.name}")
    project = readers_project(tmp_path / "empty", environment)
    yield project
    project.end()
    shutil.rmtree(environment.folder)
