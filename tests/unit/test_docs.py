"""The documentation says what the code does: README, defaults, argument specs, example inventory."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.parent.name for path in ROOT.glob("roles/*/tasks"))

_spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


def test_nothing_generated_is_stale(capsys):
    assert generate.main(["--check"]) == 0, capsys.readouterr().err


def test_a_stale_or_unmarked_page_is_an_error(tmp_path, monkeypatch, capsys):
    page = tmp_path / "reference.md"
    monkeypatch.setattr(generate, "REFERENCE", page)
    monkeypatch.setattr(generate, "EXAMPLE", tmp_path / "all")
    monkeypatch.setattr(generate, "PAGES", tmp_path / "roles")
    assert generate.main(["--check"]) == 1 and "missing" in capsys.readouterr().err
    page.write_text("no markers\n")
    assert generate.main([]) == 1 and "roles:begin" in capsys.readouterr().err
    page.write_text(
        "".join(f"<!-- {name}:begin -->\nthe text before\n<!-- {name}:end -->\n" for name in generate.PARTS)
    )
    assert generate.main(["--check"]) == 1 and "stale" in capsys.readouterr().err
    assert "the text before" in page.read_text()
    assert generate.main([]) == 0 and "the text before" not in page.read_text()
    assert generate.main(["--check"]) == 0
    (tmp_path / "roles" / "gone.md").write_text("the page of a role that is no more\n")
    assert generate.main(["--check"]) == 1 and "gone.md" in capsys.readouterr().err
    assert generate.main([]) == 0 and not (tmp_path / "roles" / "gone.md").exists()


def test_markup():
    assert generate.markdown("Those of O(a.b.c#module:users).") == "Those of `users` of `a.b.c`."
    text = "Set O(name=a) or V(b|c) with M(x.y.z) of P(x.y.z#role), see L(here,https://example.org)."
    assert generate.markdown(text) == (
        "Set `name=a` or `b\\|c` with `x.y.z` of `x.y.z`, see [here](https://example.org)."
    )


def is_own(name: str, role: str) -> bool:
    """Whether a variable is the role's own: those that several roles share cannot be among its defaults."""
    return name.startswith(f"{role}_")


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_argument_spec(role):
    defaults = generate.load_yaml(ROOT / "roles" / role / "defaults" / "main.yml") or {}
    options = generate.role_options(role)
    documented = {
        name: option["default"] for name, option in options.items() if "default" in option and is_own(name, role)
    }
    assert defaults == documented, "defaults/main.yml (left) and meta/argument_specs.yml (right) differ"
    for name, option in options.items():
        assert option.get("description"), f"{name} has no description"
        assert "type" in option, f"{name} has no type"


@pytest.mark.parametrize("role", ROLES)
def test_shared_variables_are_used_with_the_default_of_the_argument_spec(role):
    shared = {name: option for name, option in generate.role_options(role).items() if not is_own(name, role)}
    files = [path for path in (ROOT / "roles" / role).rglob("*") if path.suffix in (".yml", ".j2")]
    for path in [path for path in files if "meta" not in path.parts] + list(ROOT.glob("playbooks/*.yml")):
        for found in re.findall(r"\{\{(.*?)\}\}", path.read_text(encoding="utf-8"), re.DOTALL):
            for name in set(re.findall(r"[a-z_0-9]+", found)) & set(shared):
                wanted = f"{name} | default({generate.inline(shared[name]['default'])})"
                assert wanted in found, f"{path.relative_to(ROOT)}: expected {wanted!r}, found {found.strip()!r}"


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_page_and_a_description(role):
    assert (ROOT / "roles" / role / "README.md").is_file()
    assert generate.load_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"][
        "short_description"
    ]


def example_text() -> str:
    return "\n".join(
        path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("inventories/example/group_vars/all/*.yml"))
    )


@pytest.mark.parametrize("role", ROLES)
def test_the_example_inventory_shows_every_public_variable(role):
    shown = set(re.findall(r"^(?:# ?)?([a-z_0-9]+):", example_text(), re.MULTILINE))
    assert set(generate.role_options(role)) <= shown


def test_the_example_inventory_knows_no_other_variable():
    public = {name for role in ROLES for name in generate.role_options(role)}
    active = set()
    for path in ROOT.glob("inventories/example/group_vars/all/*.yml"):
        active |= set(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    commented = set(
        re.findall(r"^# ?((?:ftp|vsftpd|pam_userdb|sshd_chroot|firewall)_[a-z_0-9]+):", example_text(), re.M)
    )
    assert {name for name in active | commented if not name.startswith("vault_")} <= public


@pytest.mark.parametrize("page", ["architecture.md", "which-file.md"])
def test_the_files_of_the_library_that_a_page_names_are_there(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    named = re.findall(r"`(_[a-z]+/[a-z_]*\.?[a-z]*)`", text)
    assert named
    assert [name for name in named if not (ROOT / "plugins" / "module_utils" / name).exists()] == []


def test_the_readme_is_read_in_one_go():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 100
