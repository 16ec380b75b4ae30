"""Settings: each source in its place, each error with its source, key, value and what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from minerva_hub.config import HubConfig, find_file, is_loopback, load_config, to_toml
from minerva_hub.config.fields import Setting, settings
from minerva_hub.config.languages import LANGUAGES, vocabulary_by_language
from minerva_hub.errors import ConfigError


def file_with(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "minerva.toml"
    path.write_text(text)
    return path


def refused(path: Path | None, env: dict[str, str], flags: dict[str, Any], *words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(path, env, flags)
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_nothing_given_is_the_defaults() -> None:
    assert load_config(None, {}, {}) == HubConfig()


def test_flags_go_before_the_environment_and_that_before_the_file(tmp_path: Path) -> None:
    path = file_with(tmp_path, "[server]\nport = 1\n[segment]\nfloor_db = -50\n[transcribe]\nbeam = 2\n")
    env = {"MINERVA_SERVER_PORT": "2", "MINERVA_TRANSCRIBE_BEAM": "3", "PATH": "/bin", "MINERVA_CONFIG": "x"}
    config = load_config(path, env, {"server.port": "3", "session.quiet_s": None})
    assert (config.server.port, config.transcribe.beam, config.segment.floor_db) == (3, 3, -50.0)
    assert isinstance(config.segment.floor_db, float)


@pytest.mark.parametrize("setting", settings().values(), ids=lambda setting: setting.key)
def test_every_setting_can_be_given_in_every_way(setting: Setting, tmp_path: Path) -> None:
    value = setting.default
    text = str(value).lower() if setting.is_flag else str(value)
    path = file_with(tmp_path, to_toml())
    for config in (
        load_config(path, {}, {}),
        load_config(None, {setting.variable: text}, {}),
        load_config(None, {}, {setting.key: text}),
    ):
        assert getattr(getattr(config, setting.section), setting.name) == value
    assert (
        setting.help
        and setting.allowed
        and setting.option.startswith("--" + setting.section.replace("_", "-") + "-")
    )


@pytest.mark.parametrize("setting", settings().values(), ids=lambda setting: setting.key)
def test_every_setting_refuses_what_it_cannot_be(setting: Setting, tmp_path: Path) -> None:
    allowed = f"allowed is {setting.allowed}"
    path = file_with(tmp_path, f"[{setting.section}]\n{setting.name} = [1979-05-27]\n")
    refused(path, {}, {}, str(path), setting.key, "1979", allowed)
    if "text" not in setting.allowed and "path" not in setting.allowed:
        refused(None, {setting.variable: "aubergine"}, {}, setting.variable, "'aubergine'", allowed)
        refused(None, {}, {setting.key: "aubergine"}, setting.option, "'aubergine'", allowed)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "[server]\nprot = 1\n",
            ["unknown key server.prot", "did you mean port?", "host, port, tls"],
        ),
        ("[sever]\nport = 1\n", ["unknown section [sever]", "did you mean server?", "[transcribe]"]),
        ("server = 3\n", ["server = 3", "allowed is a section"]),
        ("[server]\nport = '80'\n", ["server.port = '80'", "a whole number from 0 to 65535"]),
        ("[server]\nport = 65536\n", ["server.port = 65536", "a whole number from 0 to 65535"]),
        ("[server]\nport = true\n", ["server.port = True", "a whole number"]),
        ("[segment]\nthreshold = 1.0\n", ["segment.threshold = 1.0", "a number above 0 and below 1"]),
        ("[segment]\nthreshold = nan\n", ["segment.threshold = nan", "a number above 0"]),
        ("[transcribe]\nengine = 'whisper'\n", ["'whisper'", '"auto", "faster-whisper" or "pocketsphinx"']),
        ("[transcribe]\nlanguage = 'e'\n", ["'e'", "text of 2 to 8 characters"]),
        ("[transcribe]\nlanguage = 'en-GB'\n", ["transcribe.language = 'en-GB'", "no language code"]),
        ("[transcribe]\nlanguage='auto'\nlanguages = 'en, xx'\n", ["languages = 'en, xx'", "'xx' is no"]),
        ("[transcribe]\nlanguages = 'en'\n", ["transcribe.languages = 'en'", "set that to auto"]),
        ("[transcribe]\nvocabulary = 'dee: Herd'\n", ["'dee' is no language code"]),
        (f"[transcribe]\nvocabulary = '{'a' * 41}'\n", ["a word has up to 40 printable characters"]),
        (f"[transcribe]\nvocabulary = '{'a,' * 301}'\n", ["text of 0 to 600 characters"]),
        ("[transcribe]\npace_min_s = 6\n", ["pace_min_s (6) is above transcribe.pace_max_s (5)"]),
        ("[store]\npath = ''\n", ["store.path = ''", "a path"]),
        ("[segment]\nrelease = 0.9\n", ["segment.release (0.9) is above segment.threshold (0.5)"]),
        ("[server\n", ["not TOML", "line 1"]),
        ("[server]\nhost = '0.0.0.0'\n", ["server.host = '0.0.0.0'", "loopback", "server.tls_host"]),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, text: str, words: list[str]) -> None:
    path = file_with(tmp_path, text)
    refused(path, {}, {}, str(path), *words)


def test_languages_that_are_known_are_those_of_whisper() -> None:
    tokenizer = pytest.importorskip("faster_whisper.tokenizer")
    assert set(tokenizer._LANGUAGE_CODES) == LANGUAGES


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", {}),
        (" ; , ;", {}),
        ("Minerva, Ada Lovelace", {"": ("Minerva", "Ada Lovelace")}),
        ("Minerva; de: Kessel, Herd; de: Topf", {"": ("Minerva",), "de": ("Kessel", "Herd", "Topf")}),
    ],
)
def test_a_vocabulary_is_words_by_language(text: str, words: dict[str, tuple[str, ...]]) -> None:
    assert vocabulary_by_language(text) == words


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    refused(tmp_path / "none.toml", {}, {}, "none.toml: cannot be read: No such file")
    refused(tmp_path, {}, {}, "cannot be read: Is a directory")
    path = tmp_path / "minerva.toml"
    path.write_bytes(b"[server]\nhost = '\xff'\n")
    refused(path, {}, {}, "not UTF-8", "byte 17")
    path.write_bytes(b"#" * 2_000_000)
    refused(path, {}, {}, "no settings file")


def test_a_misspelt_variable_is_noticed_and_a_foreign_one_is_not() -> None:
    refused(None, {"MINERVA_SERVER_PROT": "1"}, {}, "MINERVA_SERVER_PROT (did you mean MINERVA_SERVER_PORT?)")
    refused(None, {"MINERVA_SEVER_PORT": "1"}, {}, "did you mean MINERVA_SERVER_PORT?")
    refused(None, {"MINERVA_STORE_XYZ": "1"}, {}, "unknown variable MINERVA_STORE_XYZ")
    assert load_config(None, {"MINERVA_MICROPYTHON": "x", "MINERVASERVER": "y"}, {}) == HubConfig()


def test_an_unknown_flag_is_refused() -> None:
    refused(None, {}, {"server.prot": "1"}, "server.prot", "did you mean server.port?")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "hub.local"])
def test_plain_http_stays_on_loopback(host: str) -> None:
    refused(None, {"MINERVA_SERVER_HOST": host}, {}, "MINERVA_SERVER_HOST", repr(host), "server.tls_host")
    assert not is_loopback(host)


def test_what_replaced_a_setting_is_told(tmp_path: Path) -> None:
    path = file_with(tmp_path, "[server]\ninsecure_lan = true\n")
    refused(path, {}, {}, str(path), "server.insecure_lan is gone", "server.tls")
    refused(None, {"MINERVA_SERVER_INSECURE_LAN": "true"}, {}, "SERVER_INSECURE_LAN is gone", "server.tls")
    refused(None, {}, {"server.insecure_lan": True}, "--server-insecure-lan is gone", "server.tls")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.3.2.1", "::1", "localhost"])
def test_loopback_is_allowed(host: str) -> None:
    assert load_config(None, {}, {"server.host": host}).server.host == host


def test_a_path_counts_from_the_file_it_stands_in(tmp_path: Path) -> None:
    path = file_with(tmp_path, "[store]\npath = 'data'\n")
    assert load_config(path, {}, {}).store.path == tmp_path / "data"
    assert load_config(path, {"MINERVA_STORE_PATH": "data"}, {}).store.path == Path("data")
    assert load_config(path, {}, {"store.path": "~/data"}).store.path == Path.home() / "data"


def test_the_file_is_looked_for_where_the_docs_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    env = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    assert find_file(env) is None
    (tmp_path / "xdg" / "minerva").mkdir(parents=True)
    (tmp_path / "xdg" / "minerva" / "minerva.toml").touch()
    assert find_file(env) == tmp_path / "xdg" / "minerva" / "minerva.toml"
    (tmp_path / "minerva.toml").touch()
    assert find_file(env) == Path("minerva.toml")
    assert find_file({**env, "MINERVA_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")


def test_the_document_reads_back_as_what_was_written(tmp_path: Path) -> None:
    config = msgspec.structs.replace(
        HubConfig(), store=msgspec.structs.replace(HubConfig().store, path=tmp_path / 'a "quoted" \\ folder')
    )
    text = to_toml(config, {"store.path": "MINERVA_STORE_PATH"})
    assert load_config(file_with(tmp_path, text), {}, {}) == config
    assert "# set by MINERVA_STORE_PATH\npath = " in text
    assert (
        "# TCP port of plain HTTP; 0 takes a free one: a whole number from 0 to 65535\nport = 8484\n" in text
    )
    assert str(Path.home()) not in to_toml()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"host": "0.0.0.0"}, ("--cf-voice-host", "0.0.0.0", "no password", "cf_voice.allow")),
        ({"host": "hub.local"}, ("--cf-voice-host", "hub.local", "an address")),
        ({"host": ""}, ("--cf-voice-host", "an address")),
        ({"allow": "192.168.1.20 kitchen"}, ("--cf-voice-allow", "'kitchen'", "192.168.1.0/24")),
        ({"allow": "192.168.1.5/24"}, ("'192.168.1.5/24'", "host bits")),
        ({"allow": "0.0.0.0/0"}, ("'0.0.0.0/0'", "/8 is the widest")),
        ({"allow": "10.0.0.1 " * 65}, ("65 addresses", "64 are allowed")),
    ],
)
def test_a_port_without_a_password_needs_a_list(given: dict[str, str], words: tuple[str, ...]) -> None:
    refused(None, {}, {f"cf_voice.{key}": value for key, value in given.items()}, *words)


def test_a_port_with_a_list_may_be_on_the_network() -> None:
    voice = load_config(
        None, {}, {"cf_voice.host": "0.0.0.0", "cf_voice.allow": "192.168.1.0/24 ::1"}
    ).cf_voice
    assert voice.host == "0.0.0.0" and not voice.enabled
