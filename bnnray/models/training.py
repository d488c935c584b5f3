"""The training loop, in torch."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from bnnray.errors import UsageError
from bnnray.models.binary_layers import BinaryMlp
from bnnray.models.spec import (
    Architecture,
    BatchListener,
    BatchRecord,
    EpochListener,
    EpochRecord,
    Training,
)


@dataclass(frozen=True, eq=False)
class Samples:
    """Training images as integers 0..levels, (n, pixels), with labels (n,) in 0..classes-1."""

    images: Tensor
    labels: Tensor
    levels: int
    classes: int


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with the record of its epochs, and the device that it was trained on."""

    network: BinaryMlp
    epochs: tuple[EpochRecord, ...]
    device: str


def train(
    architecture: Architecture,
    training: Training,
    samples: Samples,
    *,
    device: str | None = None,
    on_epoch: EpochListener | None = None,
    on_batch: BatchListener | None = None,
) -> Trained:
    """Train a network.

    The same settings, samples and device type give the same network: on a CPU one thread is
    used, however many cores there are. Torch's global random state and settings are neither
    used nor changed.

    Args:
        device: a torch device; by default a GPU if there is one.
        on_epoch, on_batch: are told how far the training is.

    Raises:
        UsageError: fewer than two images, or a device that is not there.
    """
    if len(samples.images) < 2:
        raise UsageError(f"training needs at least 2 images; got {len(samples.images)}")
    where = find_device(device)
    generator = torch.Generator().manual_seed(training.seed)
    pixels = samples.images.shape[1]
    network = BinaryMlp(pixels, samples.classes, architecture, generator).to(where)
    here = Samples(
        samples.images.to(where), samples.labels.to(where), samples.levels, samples.classes
    )
    loop = _Loop(network, training, here, generator, on_batch)
    with _one_thread():
        return Trained(network, tuple(loop.run(on_epoch)), device_name(where))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums are split by threads, so their number would change what is trained."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def find_device(device: str | None) -> torch.device:
    """The device of that name; by default a GPU if there is one, else the CPU."""
    name = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(name)
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"device {name!r} cannot be used here: {reason}") from error
    return found


def device_name(device: torch.device) -> str:
    """What to write down about a device."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


class _Loop:
    def __init__(
        self,
        network: BinaryMlp,
        training: Training,
        samples: Samples,
        generator: torch.Generator,
        on_batch: BatchListener | None,
    ) -> None:
        self.network = network
        self.training = training
        self.samples = samples
        self.generator = generator
        self.on_batch = on_batch
        self.batches = max(1, len(samples.images) // training.batch_size)
        self.optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
        steps = self.batches * training.epochs
        per_step = training.decay ** (1 / max(1, steps - 1))
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, per_step)

    def run(self, on_epoch: EpochListener | None) -> Iterator[EpochRecord]:
        start = time.perf_counter()
        self.network.train()
        for epoch in range(1, self.training.epochs + 1):
            loss, accuracy = self._epoch(epoch)
            seconds = time.perf_counter() - start
            record = EpochRecord(epoch, self.training.epochs, loss, accuracy, seconds)
            if on_epoch is not None:
                on_epoch(record)
            yield record

    def _epoch(self, epoch: int) -> tuple[float, float]:
        # Summed on the device: reading a number each step would make a GPU wait.
        loss = torch.zeros((), device=self.samples.images.device)
        correct = torch.zeros((), dtype=torch.int64, device=self.samples.images.device)
        seen = 0
        for number, chosen in enumerate(self._order(), start=1):
            step_loss, step_correct = self._step(chosen)
            loss += step_loss
            correct += step_correct
            seen += len(chosen)
            if self.on_batch is not None:
                self.on_batch(BatchRecord(epoch, self.training.epochs, number, self.batches))
        return float(loss) / self.batches, int(correct) / seen

    def _order(self) -> tuple[Tensor, ...]:
        """Indices of each batch; what does not fill a last one waits for another epoch."""
        order = torch.randperm(len(self.samples.images), generator=self.generator)
        size = self.training.batch_size
        return torch.split(order.to(self.samples.images.device), size)[: self.batches]

    def _step(self, chosen: Tensor) -> tuple[Tensor, Tensor]:
        images = self.samples.images[chosen].float() / self.samples.levels
        labels = self.samples.labels[chosen]
        scores = self.network(images)
        loss = self.network.loss(scores, labels)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self.schedule.step()
        self.network.clip()
        return loss.detach(), (scores.argmax(dim=1) == labels).sum()
