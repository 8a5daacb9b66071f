"""Starts the web server of the page, with settings that keep it closed to others."""

import importlib.util
import ipaddress
import socket
from pathlib import Path

from kagglecxr.core.errors import MissingError, SettingError
from kagglecxr.core.progress import Reporter
from kagglecxr.webapp.app_options import AppOptions, Site
from kagglecxr.webapp.uploads import MAX_MEGABYTES

SCRIPT = Path(__file__).with_name("site.py")
RECONNECT_SECONDS = 30
"""How long what a visitor uploaded is kept after the page was closed, should it connect again."""
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


def check_server(options: AppOptions) -> None:
    """Refuses what the server could not start with, before models are loaded.

    Raises:
        MissingError: Streamlit is not installed.
        SettingError: the address is not one of this machine, or its port is in use.
    """
    if importlib.util.find_spec("streamlit") is None:
        raise MissingError(
            "The web page needs a package that is not installed. Received: no streamlit. Run: "
            "pip install 'kagglecxr[app]'"
        )
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        # As the server does it: a port that was used a moment ago is free.
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((options.address, options.port))
        except OSError as error:
            raise SettingError(
                f"The page cannot be at this address. Received: --address {options.address} --port "
                f"{options.port} ({error.strerror or error}). Name an address of this machine and "
                f"a free port: --port {options.port % 65535 + 1}."
            ) from error


def serve(site: Site, options: AppOptions, reporter: Reporter, *, quiet: bool) -> None:
    """Serves the page until it is stopped by Ctrl+C.

    Args:
        site: what the page is of.
        options: where it is.
        reporter: says where it is open to others.
        quiet: do not print its address.
    """
    from streamlit.web import cli

    if not is_loopback(options.address):
        reporter.note(
            f"The page is open to whoever reaches {options.address}:{options.port}, without a "
            "password or encryption."
        )
    close_streamlit()
    cli.main(["run", *server_words(site, options, quiet=quiet)], standalone_mode=False)


def close_streamlit() -> None:
    """Closes two ways out that Streamlit has no settings for.

    Uploads above 1 MB would go through a file without a name, and a service of someone else would
    be asked for this machine's address when another page tries to connect.
    """
    from starlette.formparsers import MultiPartParser
    from streamlit import net_util

    MultiPartParser.spool_max_size = 2 * MAX_MEGABYTES * 2**20
    net_util.get_external_ip = lambda: None


def server_words(site: Site, options: AppOptions, *, quiet: bool) -> list[str]:
    """Returns the words of `streamlit run`."""
    settings: dict[str, object] = {
        "server.address": options.address,
        "server.port": options.port,
        "server.headless": not options.browser,
        "server.showEmailPrompt": False,
        "server.maxUploadSize": MAX_MEGABYTES,
        "server.enableXsrfProtection": True,
        "server.fileWatcherType": "none",
        "server.disconnectedSessionTTL": RECONNECT_SECONDS,
        "browser.gatherUsageStats": False,
        "client.showErrorDetails": "none",
        "client.toolbarMode": "minimal",
        "runner.magicEnabled": False,
        "logger.hideWelcomeMessage": quiet,
    }
    words = [
        f"--{name}={str(value).lower() if isinstance(value, bool) else value}"
        for name, value in settings.items()
    ]
    if is_loopback(options.address):
        # A page elsewhere whose name is made to mean this machine is refused.
        words += [f"--server.allowedHosts={name}" for name in LOOPBACK_NAMES]
    return [str(SCRIPT), *words, "--", site.to_json()]


def is_loopback(address: str) -> bool:
    """Returns whether an address reaches this machine alone."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return address == "localhost"
