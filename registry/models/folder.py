"""A bundle as an MLflow model: settings for MLflow around data files, and no code.

The one law: what is stored names a module of the installed package as its loader and holds
nothing that runs, nothing of this machine and nobody's name.
"""

import shutil
import warnings
from pathlib import Path

from registry.home import Home
from registry.keys.signing import MAX_SIGNATURE, SIGNATURE, sign_bundle
from registry.serving import DEFAULTS, SERVED_COLUMNS
from tuni import __version__
from tuni.detectors.bundle import ARRAYS, DESCRIPTION, MAX_ARRAYS, MAX_DESCRIPTION

BUNDLE_FOLDER = "bundle"
BUNDLE_PLACE = f"data/{BUNDLE_FOLDER}"  # where MLflow puts it inside a model
BUNDLE_FILES = {DESCRIPTION: MAX_DESCRIPTION, ARRAYS: MAX_ARRAYS}  # with their greatest sizes
STORED_FILES = BUNDLE_FILES | {SIGNATURE: MAX_SIGNATURE}
_EXAMPLE = "EXAMPLE PERSON"  # a placeholder, nobody's name


def write_model_folder(
    bundle: Path, folder: Path, home: Home, model_id: str, run_id: str | None
) -> Path:
    """Write the folder that MLflow stores as a model.

    Args:
        bundle: Folder of the bundle; only its two files are taken.
        folder: An empty folder to work in.
        home: Its key signs them.
        model_id: MLflow's id of the logged model.
        run_id: The run that made it.

    Returns:
        The model's folder, below ``folder``.
    """
    # Copied first, so that MLflow sees a neutral name and no file but these two.
    data = folder / BUNDLE_FOLDER
    data.mkdir()
    for name in BUNDLE_FILES:
        shutil.copyfile(bundle / name, data / name)
    sign_bundle(data, home)
    with warnings.catch_warnings():
        # MLflow 3.17 warns about type hints of its own while it is imported, and calls pandas 3.1
        # in a deprecated way: nothing that a reader could act upon.
        warnings.simplefilter("ignore")
        _save(data, folder / "model", model_id, run_id)
    return folder / "model"


def _save(data: Path, folder: Path, model_id: str, run_id: str | None) -> None:
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, DataType, Schema, TensorSpec

    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType[kind], name) for name, kind in SERVED_COLUMNS.items()
    ]
    mlflow.pyfunc.save_model(
        path=str(folder),
        loader_module="registry.serving",
        data_path=str(data),
        # Without an artifact_path, which would be absolute and is read by nothing.
        mlflow_model=Model(run_id=run_id, model_uuid=model_id, model_id=model_id),
        signature=ModelSignature(Schema([ColSpec(DataType.string, "text")]), Schema(outputs)),
        input_example=pd.DataFrame({"text": [_EXAMPLE]}),
        pip_requirements=[f"tuni-audit=={__version__}"],
        model_config=dict(DEFAULTS),
    )
