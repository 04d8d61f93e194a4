"""The tarball: what is in it, what Galaxy says of it, what ansible-builder makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from conftest import ROOT, Run

SEMANTIC_VERSION = r"\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?"


def test_it_holds_what_is_needed_at_run_time_and_nothing_else(names: list[str]) -> None:
    assert {name.split("/")[0] for name in names} == {
        "CHANGELOG.md",
        "FILES.json",
        "LICENSE",
        "MANIFEST.json",
        "README.md",
        "bindep.txt",
        "clients",
        "examples",
        "meta",
        "playbooks",
        "plugins",
        "roles",
        # What an optional backend needs on the control machine.
        *(path.name for path in ROOT.glob("requirements-azure.txt")),
    }
    assert {name for name in names if name.startswith("clients/")} == {
        "clients/php/FtpUsers.php",
        "clients/php/composer.json",
        "clients/php/ftp-users",
        "clients/php/ftp-users.php",
        "clients/python/ftp_users_client.py",
        "clients/python/py.typed",
        "clients/python/pyproject.toml",
    }
    assert {name for name in names if name.startswith("examples/")} == {
        "examples/README.md",
        "examples/adopt/group_vars/ftp/vault.yml",
        "examples/adopt/inventory.yml",
        "examples/help-desk/group_vars/ftp/vault.yml",
        "examples/help-desk/inventory.yml",
        "examples/help-desk/keys/help-desk.pub",
        "examples/keys/inventory.yml",
        "examples/keys/keys/anna.pub",
        "examples/keys/keys/ben.pub",
        "examples/nat/group_vars/ftp/vault.yml",
        "examples/nat/inventory.yml",
        "examples/small/group_vars/ftp/vault.yml",
        "examples/small/inventory.yml",
    }
    kinds = {"".join(Path(name).suffixes[-1:]) for name in names if name.startswith(("plugins/", "roles/"))}
    assert kinds <= {".py", ".yml", ".j2", ".md", ".bash", ".8", ".conf", ""}, kinds


def test_it_holds_every_plugin_and_role_of_the_repository(names: list[str]) -> None:
    wanted = {str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/**/*.py")}
    wanted |= {str(path.relative_to(ROOT)) for path in ROOT.glob("roles/**/*") if path.is_file()}
    wanted |= {str(path.relative_to(ROOT)) for path in ROOT.glob("playbooks/**/*.yml")}
    assert {name for name in wanted if not name.endswith(".pyc")} <= set(names)


def test_the_readme_links_only_to_what_is_in_it_or_in_the_web(names: list[str]) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    there = set(names) | {str(parent) for name in names for parent in Path(name).parents}
    assert [link for link in links if not link.startswith("https://") and link.rstrip("/") not in there] == []


def test_the_version_is_semantic_and_the_changelog_knows_it() -> None:
    galaxy = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
    assert re.fullmatch(SEMANTIC_VERSION, galaxy["version"])
    released = yaml.safe_load((ROOT / "changelogs" / "changelog.yaml").read_text(encoding="utf-8"))["releases"]
    assert galaxy["version"] in released, "set the version of galaxy.yml, then: make release"
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert all("## v" + version.replace(".", "\\.") in text for version in released)


def test_galaxy_imports_it_without_error_or_warning(tarball: Path, run: Run) -> None:
    # make lint does the work of two of its checks: ruff that of flake8, off by default; ansible-lint, with every rule.
    done = run("python", "-m", "galaxy_importer.main", tarball, GALAXY_IMPORTER_RUN_ANSIBLE_LINT="no")
    said = done.stdout + done.stderr
    assert "Importer processing completed successfully" in said
    assert [line for line in said.splitlines() if line.startswith(("WARNING", "ERROR", "CRITICAL"))] == []


def test_ansible_builder_takes_its_dependencies(tarball: Path, run: Run, collections: Path, tmp_path: Path) -> None:
    introspected = yaml.safe_load(run("ansible-builder", "introspect", collections, "--sanitize").stdout)
    assert [line.split()[0] for line in introspected["system"]] == ["openssh-client", "openssh-clients"]
    assert not introspected.get("python")
    environment = tmp_path / "execution-environment.yml"
    definition = {
        "version": 3,
        "images": {"base_image": {"name": "docker.io/library/debian:12"}},
        "dependencies": {
            "ansible_core": {"package_pip": "ansible-core==2.19.14"},
            "ansible_runner": {"package_pip": "ansible-runner"},
            "galaxy": {"collections": [{"name": str(tarball), "type": "file"}]},
        },
    }
    environment.write_text(yaml.safe_dump(definition), encoding="utf-8")
    context = tmp_path / "context"
    run("ansible-builder", "create", "--file", environment, "--context", context)
    assert str(tarball) in (context / "_build" / "requirements.yml").read_text(encoding="utf-8")
    assert "ansible-galaxy collection install" in (context / "Containerfile").read_text(encoding="utf-8")
