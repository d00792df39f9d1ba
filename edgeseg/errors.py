"""Every error of edgeseg, on one page.

    EdgesegError                 exit code
      ConfigError                2   an option, a config file, the environment
      ModelError                 3
        DarknetError             3   a cfg or weights file; says file and line
        OnnxModelError           3   an ONNX file that is not a detector we know
        ModelNotFoundError       3
        DownloadError            9   a file that could not be fetched or verified: try again
      SourceError                4
        SourceOpenError          4   the source never gave a frame
        SourceLostError          4   it did, and then stayed away
        LabelError               4   a file of labels; says file and line
      SinkError                  5   a place where results should go
      EngineError                6   the network could not be loaded or run
        BuildCancelledError    130   an engine's build was stopped by Ctrl-C
        EngineRefusedError       6   a built engine does not see what the reference sees
      DeviceError                6   a device is missing, or a call to it failed
        DeviceMemoryError        6   it has no room
      MissingDependencyError     7   a package to install; names the extra
      ServiceError              10   the service manager is not there or refused

A wrong argument of a Python call is a ``ValueError``. Nothing in the library
ends the process; only the command line turns an error into an exit code.
"""

from __future__ import annotations


class EdgesegError(Exception):
    """Base of all: what went wrong, and the next step for the user."""

    exit_code = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  {self.hint}" if self.hint else self.message


class ConfigError(EdgesegError):
    """An option, a config file or an environment variable is wrong."""

    exit_code = 2


class ModelError(EdgesegError):
    """A model cannot be used."""

    exit_code = 3


class DarknetError(ModelError):
    """A Darknet cfg or weights file is wrong; `file` and `line` say where."""

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(_place(file, line) + message, hint=hint)
        self.file = file
        self.line = line


class OnnxModelError(ModelError):
    """An ONNX file is broken, or is not a detector edgeseg knows."""


class ModelNotFoundError(ModelError):
    """No model of that name or path."""


class DownloadError(ModelError):
    """A file could not be fetched, or is not the one that was promised."""

    exit_code = 9


class SourceError(EdgesegError):
    """Frames cannot be had."""

    exit_code = 4


class SourceOpenError(SourceError):
    """The source never gave a frame."""


class SourceLostError(SourceError):
    """The source gave frames, then stayed away longer than allowed."""


class LabelError(SourceError):
    """A file of labels is wrong; `file` and `line` say where."""

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, hint: str | None = None
    ) -> None:
        super().__init__(_place(file, line) + message, hint=hint)
        self.file = file
        self.line = line


class SinkError(EdgesegError):
    """Results cannot be delivered to one of the places asked for."""

    exit_code = 5


class EngineError(EdgesegError):
    """The network cannot be loaded or run."""

    exit_code = 6


class BuildCancelledError(EngineError):
    """An engine's build was stopped before its end; nothing was written."""

    exit_code = 130


class EngineRefusedError(EngineError):
    """A built engine does not see what the fp32 reference on the CPU sees; `scores` say how far."""

    def __init__(
        self, message: str, *, hint: str | None = None, scores: dict[str, float] | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        self.scores = scores or {}


class DeviceError(EdgesegError):
    """A device is missing, or a call to it failed."""

    exit_code = 6


class DeviceMemoryError(DeviceError):
    """The device, or the host's memory for it, has no room."""


class MissingDependencyError(EdgesegError):
    """A package is not installed; the hint names the extra that brings it."""

    exit_code = 7

    @classmethod
    def of(cls, package: str, extra: str, *, purpose: str) -> MissingDependencyError:
        """Say that `package`, of the extra `extra`, is needed for `purpose`."""
        return cls(
            f"{purpose} needs the package {package}, which is not installed",
            hint=f"Install it: pip install 'edgeseg[{extra}]'",
        )


class ServiceError(EdgesegError):
    """The service manager is not there, or refused."""

    exit_code = 10


def _place(file: str, line: int | None) -> str:
    return f"{file}:{line}: " if line is not None else f"{file}: " if file else ""
