"""A bundle's `logging.conf` is plain: nothing in it is evaluated to more than a value, and it writes to logs alone."""

from pathlib import Path

import pytest
from evil_configs import make

from prostate_alm.bundle.static import static_findings

LOGGING = "[handlers]\nkeys=a\n[handler_a]\n{}\n[formatter_a]\nformat=%(asctime)s %(message)s\n{}"


@pytest.mark.parametrize(
    ("handler", "formatter", "key"),
    [
        ("class=os.system", "", "handler_a::class"),
        ("class=eval\nargs=(1,)", "", "handler_a::class"),
        ("class=handlers.SocketHandler\nargs=(1, 80)", "", "handler_a::class"),
        ("class=handlers.HTTPHandler", "", "handler_a::class"),
        ("class=%(evil)s\nevil=os.system", "", "handler_a::class"),
        ("class=StreamHandler\nargs=(__import__('os').system('true'),)", "", "handler_a::args"),
        ("class=StreamHandler\nargs=(sys.modules,)", "", "handler_a::args"),
        ("class=StreamHandler\nargs=(os.environ,)", "", "handler_a::args"),
        ("class=StreamHandler\nargs=([x for x in (1,)],)", "", "handler_a::args"),
        ("class=StreamHandler\nkwargs={'stream': open('x')}", "", "handler_a::kwargs"),
        ("class=FileHandler\nargs=('/etc/passwd', 'w')", "", "handler_a::args"),
        ("class=FileHandler\nargs=('../../log', 'w')", "", "handler_a::args"),
        ("class=FileHandler\nargs=('torch.py', 'w')", "", "handler_a::args"),
        ("class=FileHandler\nargs=('.bashrc',)", "", "handler_a::args"),
        ("class=FileHandler\nargs=(b'torch.py', 'w')", "", "handler_a::args"),
        ("class=StreamHandler\nargs=(", "", "handler_a::args"),
        ("class=StreamHandler", "class=eval", "formatter_a::class"),
        ("class=StreamHandler", "class=%(format)s", "the file"),
        ("class=StreamHandler", "defaults=exec('1')", "formatter_a::defaults"),
        ("class=StreamHandler", "defaults={'a': '%(evil)s'}\nevil=' + exec('1') + '", "formatter_a::defaults"),
        ("class", "", "the file"),
    ],
)
def test_logging_conf_is_plain(handler: str, formatter: str, key: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", "{}", configs__logging_conf="")
    (folder / "configs" / "logging_conf").unlink()
    (folder / "configs" / "logging.conf").write_text(LOGGING.format(handler, formatter))
    assert [(finding.file, finding.key) for finding in static_findings(folder)] == [("configs/logging.conf", key)]


@pytest.mark.parametrize("handler", ["class=StreamHandler\nargs=(sys.stderr,)", "class=FileHandler\nargs=('log.txt',)"])
def test_plain_logging_passes(handler: str, tmp_path: Path) -> None:
    folder = make(tmp_path / "bundle", "{}")
    (folder / "configs" / "logging.conf").write_text(LOGGING.format(handler, "class=logging.Formatter"))
    assert static_findings(folder) == []
