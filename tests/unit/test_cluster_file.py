"""`cluster.yaml` is what Ray's own validator accepts."""

from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.ray  # imports Ray

ROOT = Path(__file__).resolve().parents[2]


def test_the_cluster_file_is_valid_and_a_misspelt_key_is_not():
    from jsonschema import ValidationError
    from ray.autoscaler._private.util import prepare_config, validate_config

    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    validate_config(prepare_config(dict(config)))
    with pytest.raises(ValidationError):
        validate_config(prepare_config({**config, "max_wrkers": 1}))


def test_nodes_install_the_mounted_wheel_and_no_name_of_an_index():
    config = yaml.safe_load((ROOT / "cluster.yaml").read_text())
    [[remote, local]] = config["file_mounts"].items()
    [command] = config["setup_commands"]
    verb, what = command.rsplit(" ", 1)
    assert (verb, local) == ("pip install", "dist")
    assert what == f"{remote}/swarm_ray-*.whl"
