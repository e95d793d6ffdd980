"""How all pairs of a cohort are registered, and what is written of each."""

import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from dlir_tf._version import __version__
from dlir_tf.apply.registration_files import Outputs
from dlir_tf.automatic import Modality
from dlir_tf.cohort.inputs import digest
from dlir_tf.cohort.pair_files import ROLES, PairFiles
from dlir_tf.config import Config, InitialAlignment
from dlir_tf.errors import InputError
from dlir_tf.images import OrientationSource, SpacingSource
from dlir_tf.images.background import FillValue
from dlir_tf.models.folder_files import CONFIG_FILE, WEIGHTS_FILE
from dlir_tf.models.general import (
    ConfigByRank,
    GeneralModel,
    may_deform,
    usual_channel,
)
from dlir_tf.models.loading import check_model, is_litert, load_model
from dlir_tf.models.names import find_model, general_ranks, is_general, is_name
from dlir_tf.models.parameters import Predictor
from dlir_tf.serving import Server
from dlir_tf.transforms.files.chain import as_link, files_of_chain, read_chain

Known = Literal["labels", "points"]

# What is written of every pair if nothing else is said; of labels, masks and landmarks
# where the pair has some.
USUAL_FILES = {
    "moved": "moved.nii.gz",
    "transform": "transform.h5",
    "report": "report.json",
    "thumbnail": "thumbnail.png",
    "moved_labels": "moved_labels.nii.gz",
    "moved_mask": "moved_mask.nii.gz",
    "mapped_points": "mapped_points",
}


def load_if_any(model: str | Path | None) -> Predictor | GeneralModel | None:
    """Loads a model, if one is named."""
    return None if model is None else load_model(model)


@dataclass(frozen=True)
class Settings:
    """How all pairs are registered.

    Attributes:
        model: A model folder or file, or the name of one that ships.
        config: Instead of a model.
        server: Likewise.
        refine: As for `dlir_tf.register`, like the following.
        modality: Likewise.
        initial_alignment: Likewise.
        initial_transform: Files of transforms to go on from, as for `read_chain`.
        without_initial: Whether what is written leaves these out.
        go_by: What of a pair its refinement goes by as well; nothing by default.
        points_weight: Of landmarks; `None` for the usual one.
        labels_weight: Likewise, of labels.
        stiffness: As for `dlir_tf.register`.
        do_no_harm: Likewise.
        fill_value: Likewise.
        interpolation: Of moved labels, `"nearest"` or `"label"`.
        spacing_source: As for `dlir_tf.read_image`.
        orientation_source: Likewise.
        channel: Likewise.
        usual_channel: Of the model or the config, once `prepared`.
        series: Of DICOM folders that have several, as for `--series`; empty for none.
        elsewhere: Whether headers may name voxels in other folders.
        form: Of transforms, as for `dlir_tf.write_transform`.
        files: For everything that is written of a pair, its file's name.
        bids: Whether names are those of a BIDS derivative instead; of `files`, the
            endings count then.
        load: Loads the model; a function of a module, which other processes have too.
        model_digest: Of the model's files, once `prepared`.
        start_digest: Of the initial transform's files, likewise.
        version: Of this package.
    """

    model: str | Path | None = None
    config: Config | None = None
    server: Server | None = None
    refine: int | None = None
    modality: Modality | None = None
    initial_alignment: InitialAlignment | None = None
    initial_transform: tuple[str, ...] = ()
    without_initial: bool = False
    go_by: tuple[Known, ...] = ()
    points_weight: float | None = None
    labels_weight: float | None = None
    stiffness: float = 1.0
    do_no_harm: bool = True
    fill_value: FillValue = "auto"
    interpolation: str = "nearest"
    spacing_source: SpacingSource = "auto"
    orientation_source: OrientationSource = "auto"
    channel: int | None = None
    usual_channel: int | None = None
    series: str = ""
    elsewhere: bool = False
    form: str | None = None
    files: Mapping[str, str] = field(default_factory=lambda: dict(USUAL_FILES))
    bids: bool = False
    load: Callable[[Any], Predictor | GeneralModel | None] = load_if_any
    model_digest: str = ""
    start_digest: str = ""
    version: str = __version__

    def prepared(self) -> "Settings":
        """The same, checked and with digests of the files that belong to it.

        Raises:
            InputError: If options exclude each other, or a file can't be used.
        """
        given = [self.model, self.config, self.server]
        if sum(each is not None for each in given) > 1:
            raise InputError(
                "a model, a config (preset) and a server exclude each other; give one "
                "of them, or none"
            )
        config = self.config if self.model is None else check_model(self.model)
        if self.initial_transform:
            read_chain(self.initial_transform)
        self._check_files()
        if self.server is None:
            self.check_deforms(config)
        else:
            self._outputs().check_deforms(self.server.deforms)
        return replace(
            self,
            usual_channel=usual_channel(config),
            model_digest=digest_of_model(self.model),
            start_digest=_digest_of_chain(self.initial_transform),
        )

    def check_deforms(self, config: Config | ConfigByRank | None) -> None:
        """Refuses files of a matrix for what deforms.

        Args:
            config: What pairs are registered by; of a server's model, what it said.

        Raises:
            InputError: If there is such a file, and the config has stages that deform.
        """
        shot = self.model is not None or self.server is not None
        refined = bool(self.refine) or not (shot or self.refine == 0)
        self._outputs().check_deforms(lambda: may_deform(config, refined=refined))

    def _outputs(self) -> Outputs:
        return PairFiles(Path(), self.files).outputs(form=self.form)

    def _check_files(self) -> None:
        for role, name in self.files.items():
            if role not in ROLES:
                raise InputError(
                    f"files: {role!r} is none of {', '.join(sorted(ROLES))}"
                )
            if not name or Path(name).name != name or name.startswith("."):
                option = f"--{role.replace('_', '-')}"
                raise InputError(
                    f"{option}: must be the name of a file in every pair's folder, "
                    f"without a folder of its own. Received: {name or 'nothing'}"
                )
        if "moved" not in self.files:
            raise InputError("files: must have the moved image's name, moved")

    def described(self) -> dict[str, Any]:
        """All that decides what is written, as JSON knows it."""
        left_out = ("config", "server", "load", "elsewhere", "model", "usual_channel")
        plain = {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name not in (*left_out, "initial_transform")
        }
        return plain | {
            "config": self.config and self.config.model_dump(mode="json"),
            "server": self.server and _of_server(self.server),
            "go_by": sorted(self.go_by),
            "files": dict(self.files),
        }

    def absolute(self) -> "Settings":
        """The same for a process in another folder, or on another machine."""
        model = self.model
        if model is not None and not is_name(model):
            model = Path(model).absolute()
        chain = tuple(_absolute(name) for name in self.initial_transform)
        server = self.server and self.server.absolute()
        return replace(self, model=model, initial_transform=chain, server=server)


def digest_of_model(model: str | Path | None) -> str:
    """The SHA-256 of the files that a model is; empty without one."""
    if model is None:
        return ""
    if is_general(model):
        folders = [find_model(model, ndim) for ndim in general_ranks()]
    else:
        folders = [find_model(model)]
    if is_litert(model):
        return digest(folders)
    names = (CONFIG_FILE, WEIGHTS_FILE)
    return digest(folder / name for folder in folders for name in names)


def _of_server(server: Server) -> dict[str, Any]:
    told = asdict(server)
    return {name: told[name] for name in ("address", "model_name")}


def _digest_of_chain(names: tuple[str, ...]) -> str:
    """Of the files of transforms, and of what is done with each; empty for none."""
    if not names:
        return ""
    senses = ",".join(
        f"{link.inverse:d}{len(link.about)}" for link in map(as_link, names)
    )
    return digest(filter(Path.is_file, files_of_chain(names))) + senses


def _absolute(name: str) -> str:
    """A transform of a chain, `FILE` or `[FILE,1]`, whose files are absolute."""
    link = as_link(name)
    path = os.path.abspath(link.path)
    if not (link.inverse or link.about):
        return path
    about = [os.path.abspath(each) for each in link.about]
    if len(link.about) == 1:  # it isn't a file
        about = list(link.about)
    return f"[{','.join([path, f'{link.inverse:d}', *about])}]"
