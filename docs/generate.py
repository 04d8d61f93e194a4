"""Write what is generated from the roles' argument specs, the modules' documentation and the library.

    .venv/bin/python docs/generate.py            rewrite it
    .venv/bin/python docs/generate.py --check    fail when it is stale

In docs/reference.md, clients.md, firewall.md, ftp-users-check.md, remote-control.md and tested-with.md a part lies
between the lines ``<!-- NAME:begin -->`` and ``<!-- NAME:end -->``. docs/remote-control.schema.json is generated whole.
Each role has a page, docs/roles/ROLE.md, and a file of the example inventory, group_vars/all/ROLE.yml; what is beside
that file is written by hand.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import sys
import textwrap
from pathlib import Path
from typing import Any, Callable

import yaml

from ansible_collections.secure_ftp.server.plugins.module_utils._core.releases import PACKAGES, RELEASES
from ansible_collections.secure_ftp.server.plugins.module_utils._core.settings import Settings
from ansible_collections.secure_ftp.server.plugins.module_utils._doctor.kinds import KINDS
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.azure import nsg_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.plan import TLS_MODES, port_plan
from ansible_collections.secure_ftp.server.plugins.module_utils._firewall.ufw_rules import wanted_rules
from ansible_collections.secure_ftp.server.plugins.module_utils._manage.manager import USED
from ansible_collections.secure_ftp.server.plugins.module_utils._remote.schema import VERBS, json_schema
from ansible_collections.secure_ftp.server.plugins.module_utils._users.fields import (
    FIELDS,
    PROTOCOLS,
    SIZE,
    TEXT,
    WORD,
    WORDS,
)

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference.md"
CHECK = ROOT / "docs" / "ftp-users-check.md"
CLIENTS = ROOT / "docs" / "clients.md"
MEASURED = ROOT / "docs" / "clients.json"
REMOTE = ROOT / "docs" / "remote-control.md"
SCHEMA = ROOT / "docs" / "remote-control.schema.json"
PAGES = ROOT / "docs" / "roles"
FIREWALL = ROOT / "docs" / "firewall.md"
TESTED = ROOT / "docs" / "tested-with.md"
EXAMPLE = ROOT / "inventories" / "example" / "group_vars" / "all"
ROLE_ORDER = ("vsftpd", "pam_userdb", "sshd_chroot", "shared_folders", "user_command", "remote_control", "firewall")
MAX_DEFAULT = 60
MAX_LINE = 160
BY_HAND = {"ftp_users", "ftp_users_defaults", "ftp_users_password_min_length", "ftp_users_purge", "ftp_shared_folders"}
"""Variables the example inventory shows in files written by hand."""

# Semantic markup of Ansible's documentation; what is inside keeps its text.
_OPTION = re.compile(r"\b(?:O|RV)\(([a-z_.0-9]+)#[a-z]+:((?:\\.|[^\\)])*)\)")
_CODE = re.compile(r"\b(?:C|V|O|E|RV)\(((?:\\.|[^\\)])*)\)")
_BOLD = re.compile(r"\bB\(([^)]*)\)")
_ITALIC = re.compile(r"\bI\(([^)]*)\)")
_NAME = re.compile(r"\b[MP]\(([^)#]*)(?:#[a-z]+)?\)")
_LINK = re.compile(r"\bL\(([^,)]*),\s*([^)]*)\)")
_URL = re.compile(r"\bU\(([^)]*)\)")


class StaleError(Exception):
    """A page cannot be filled, or is not what it would be filled with."""


def markdown(text: str) -> str:
    """One line of Markdown for a table cell."""
    text = _OPTION.sub(r"O(\2) of M(\1)", text)
    text = _CODE.sub(lambda match: "`" + re.sub(r"\\(.)", r"\1", match.group(1)) + "`", text)
    text = _BOLD.sub(r"**\1**", text)
    text = _ITALIC.sub(r"*\1*", text)
    text = _NAME.sub(r"`\1`", text)
    text = _LINK.sub(r"[\1](\2)", text)
    text = _URL.sub(r"<\1>", text)
    return " ".join(text.split()).replace("|", "\\|")


def paragraphs(description: str | list[str]) -> str:
    return " ".join(map(markdown, [description] if isinstance(description, str) else description))


def load_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def roles() -> list[str]:
    """Every role with an argument spec, those of site.yml first."""
    names = [path.parent.parent.name for path in ROOT.glob("roles/*/meta/argument_specs.yml")]
    return sorted(names, key=lambda name: (ROLE_ORDER.index(name) if name in ROLE_ORDER else len(ROLE_ORDER), name))


def role_options(role: str) -> dict[str, dict[str, Any]]:
    """The public variables of a role."""
    path = ROOT / "roles" / role / "meta" / "argument_specs.yml"
    return load_yaml(path)["argument_specs"]["main"].get("options") or {}


def inline(value: object) -> str:
    """``value`` as YAML on one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True).strip()
    return text[: -len("\n...")] if text.endswith("\n...") else text


def show_default(option: dict[str, Any]) -> str:
    if option.get("required"):
        return "**required**"
    value = option.get("default")
    if value is None:
        return ""
    text = inline(value)
    if len(text) > MAX_DEFAULT and isinstance(value, (dict, list)):
        return f"({len(value)} entries, see the role)"
    return "`" + text.replace("|", "\\|") + "`"


def show_type(option: dict[str, Any]) -> str:
    kind = option.get("type", "str")
    return f"{kind} of {option['elements']}" if kind == "list" and "elements" in option else kind


def rows(options: dict[str, dict[str, Any]], prefix: str = "") -> list[str]:
    lines = []
    for name, option in options.items():
        text = paragraphs(option["description"])
        if "choices" in option:
            text += " One of " + ", ".join(f"`{choice}`" for choice in option["choices"]) + "."
        lines.append(f"| `{prefix}{name}` | {show_type(option)} | {show_default(option)} | {text} |")
        lines += rows(option.get("options") or {}, f"{prefix}{name}{'[]' if option.get('type') == 'list' else ''}.")
    return lines


def page(role: str) -> str:
    """The page of a role."""
    spec = load_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]
    description = spec.get("description", [])
    lines = [
        "<!-- Made by docs/generate.py from the role's argument specs: change those. -->",
        f"# Role `secure_ftp.server.{role}`",
        f"{markdown(spec['short_description'])}.",
        *map(markdown, [description] if isinstance(description, str) else description),
        f"How to use it and what to know: [README of the role](../../roles/{role}/README.md).",
    ]
    table = rows(spec.get("options") or {})
    if table:
        lines += ["\n".join(["| Variable | Type | Default | Meaning |", "|---|---|---|---|", *table])]
    return "\n\n".join(lines) + "\n"


def pages() -> dict[Path, str]:
    """The page of every role."""
    return {PAGES / f"{role}.md": page(role) for role in roles()}


def role_table() -> str:
    """The roles, each with its page."""
    lines = ["| Role | What it does | Variables |", "|---|---|---|"]
    for role in roles():
        spec = load_yaml(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]["main"]
        count = len(spec.get("options") or {})
        link = f"[{count}](roles/{role}.md)"
        lines.append(f"| `secure_ftp.server.{role}` | {markdown(spec['short_description'])} | {link} |")
    return "\n".join(lines)


def plain(text: str) -> str:
    """The text without markup, for a comment."""
    return re.sub(r"`([^`]*)`|\*\*([^*]*)\*\*", lambda match: match.group(1) or match.group(2), markdown(text)).replace(
        "\\|", "|"
    )


def comment(text: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(text, 116, break_long_words=False, break_on_hyphens=False)]


def assignment(name: str, value: object) -> str:
    """A commented ``name: value``; a text too long for a line is cut at its colons."""
    line = f"# {name}: {inline(value)}"
    if len(line) <= MAX_LINE or not isinstance(value, str):
        return line
    pieces = re.findall(r".{1,100}(?::|$)", value)
    return f'# {name}: "' + "\\\n#   ".join(pieces) + '"'


def example(options: dict[str, dict[str, Any]]) -> str:
    """A file of commented variables with their defaults: nothing in it changes anything until it is uncommented."""
    blocks = ["---\n# Made by docs/generate.py. Every value is the default: uncomment what you change."]
    for name, option in options.items():
        description = option["description"]
        text = " ".join(map(plain, [description] if isinstance(description, str) else description))
        lines = comment(text)
        if "choices" in option:
            lines += comment("One of: " + ", ".join(map(str, option["choices"])))
        for key, inner in (option.get("options") or {}).items():
            text = " ".join(
                map(plain, [inner["description"]] if isinstance(inner["description"], str) else inner["description"])
            )
            lines += comment(f"- {key}: {text}")
        lines.append(assignment(name, option.get("default")))
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks) + "\n"


def examples() -> dict[Path, str]:
    """The generated files of the example inventory; a variable that several roles declare is shown with the first."""
    files: dict[Path, str] = {}
    shown: set[str] = set()
    for role in roles():
        options = {name: option for name, option in role_options(role).items() if name not in shown | BY_HAND}
        shown.update(options)
        if options:
            files[EXAMPLE / f"{role}.yml"] = example(options)
    return files


def documentation(path: Path) -> dict[str, Any]:
    """The DOCUMENTATION of a module, read without importing it."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
            return yaml.safe_load(ast.literal_eval(node.value))
    raise StaleError(f"{path.relative_to(ROOT)}: DOCUMENTATION is missing; add it")


def modules() -> str:
    lines = ["| Module | What it does |", "|---|---|"]
    for path in sorted(ROOT.glob("plugins/modules/*.py")):
        if path.stem != "__init__":
            lines.append(f"| `secure_ftp.server.{path.stem}` | {markdown(documentation(path)['short_description'])} |")
    return "\n".join(lines)


def ports() -> str:
    """The port plan of the default ports, with both TLS modes, and what each backend makes of it."""
    default = {rule.name for rule in port_plan(Settings())}
    lines = [
        "| Rule | Direction | Ports | By default | UFW | Network security group |",
        "|---|---|---|---|---|---|",
    ]
    for rule in port_plan(Settings(vsftpd_tls_modes=TLS_MODES)):
        where = f"{rule.ports}/{rule.protocol}" if rule.ports else f"from {rule.source_ports}/{rule.protocol} to any"
        ufw = (
            ", ".join(f"`{command}`" for command in wanted_rules([rule]))
            or "none: the policy of what goes out is allow"
        )
        made = [
            f"`{one['name']}`: {one['access']} {one['protocol']} {one['destination_port_range']}"
            for one in nsg_plan([rule], []).rules
        ]
        nsg = ", ".join(made) or "none: Azure's own rule AllowInternetOutBound"
        by_default = "yes" if rule.name in default else "no"
        lines.append(f"| {rule.name} | {rule.direction} | {where} | {by_default} | {ufw} | {nsg} |")
    return "\n".join(lines)


def findings() -> str:
    """The table of what ``ftp-users check`` can find."""
    lines = [
        "| subject | severity | what it means | why it matters | fix |",
        "|---|---|---|---|---|",
    ]
    for subject, kind in KINDS.items():
        cells = (f"`{subject}`", kind.severity, kind.means, kind.why, f"`{documented(kind.fix)}`")
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def documented(fix: str) -> str:
    """A fix whose words in braces stand as words in capitals, as they are to be replaced."""
    return re.sub(r"\{(\w+)\}", lambda word: word[1].upper(), fix.replace("{{", "\0").replace("}}", "\1")).translate(
        {0: "{", 1: "}"}
    )


def requests() -> str:
    """The table of the requests of remote control."""
    lines = ["| verb | what it does | fields (**required**) | result |", "| --- | --- | --- | --- |"]
    for name, verb in VERBS.items():
        fields = ", ".join(f"**`{key}`**" if wanted.required else f"`{key}`" for key, wanted in verb.fields.items())
        lines.append(f"| `{name}` | {verb.meaning} | {fields or 'none'} | {verb.result} |")
    return "\n".join(lines)


def members() -> str:
    """The table of the fields of those requests."""
    lines = ["| field | type | meaning |", "| --- | --- | --- |"]
    for verb in VERBS.values():
        for key, wanted in verb.fields.items():
            choices = ": " + ", ".join(f"`{choice}`" for choice in wanted.choices) if wanted.choices else ""
            lines.append(f"| `{key}` | {wanted.kind} | {wanted.meaning}{choices} |")
    return "\n".join(dict.fromkeys(lines))


def answered() -> str:
    """The table of what a user has in an answer."""
    kinds = {TEXT: "string", WORD: "string", WORDS: "list of strings", SIZE: "number"}
    rows = [("`name`", "string", "the login name"), ("`protocols`", "list of strings", "`ftps`, `sftp` or both")]
    rows.append(("`locked`", "boolean", "true if the user cannot log in by any protocol"))
    for field in (one for one in FIELDS if one.for_all):
        said = re.split(", such as|; none is no|; 0 is no", field.meaning)[0] if field.kind == SIZE else field.meaning
        choices = ": " + ", ".join(f"`{choice}`" for choice in field.choices) if field.choices else ""
        rows.append((f"`{field.name}`", kinds[field.kind], said + choices + "; 0 is no limit" * (field.kind == SIZE)))
    rows += [(f"`{name}`", "number", meaning) for name, meaning in USED.items()]
    rows += [(f"`{protocol}`", "object", "what is so by this protocol, see below") for protocol in PROTOCOLS]
    return "\n".join(f"| {' | '.join(row)} |" for row in [("member", "type", "meaning"), ("---",) * 3, *rows])


def client_tables() -> dict[str, Callable[[], str]]:
    """The tables of the clients: what their drivers say, and what `make clients` found."""
    sys.path.insert(0, str(ROOT / "tests" / "clients"))
    import header
    import tables

    every = list(header.drivers())
    found = json.loads(MEASURED.read_text(encoding="utf-8"))
    return {"results": lambda: tables.results(every, found), "limits": lambda: tables.limits(every)}


def platforms() -> str:
    """The platforms Molecule runs on, and what kind of host each is."""
    rig = (ROOT / "tests" / "containers" / "rig").read_text(encoding="utf-8")
    (names,) = re.findall(r"^platforms\(\) \{ printf '%s\\n' (.*); \}$", rig, re.MULTILINE)
    lines = ["| platform | what it is | `make molecule` |", "|---|---|---|"]
    for name in names.split():
        lines.append(f"| `{name}` | {' | '.join(kind_of(name))} |")
    return "\n".join(lines)


def kind_of(platform: str) -> tuple[str, str]:
    """What a platform of the rig is, and what runs on it."""
    if platform.endswith("-alike"):
        text = (ROOT / "tests" / "containers" / f"Containerfile.{platform}").read_text(encoding="utf-8")
        about = " ".join(line[2:] for line in text.split("ARG")[0].splitlines())
        return about, "the tests marked `alike` or `only`"
    system, digits = re.findall(r"([a-z]+)(\d+)", platform)[0]
    version = f"{digits[:2]}.{digits[2:]}" if digits[2:] else digits
    (release,) = [release for release in RELEASES if (release.os_id, release.version) == (system, version)]
    if system == "debian":
        return f"{release.name}, bootstrapped from its packages", "every test"
    return f"{release.name}, pulled from a registry", "every test, where a registry answers; **never seen so far**"


def releases() -> str:
    """What each supported release brings and lacks."""
    lines = [f"| release | {' | '.join(PACKAGES)} | what does not work there |", "|---" * (len(PACKAGES) + 2) + "|"]
    for release in RELEASES:
        versions = " | ".join(getattr(release, field) for field in PACKAGES)
        lines.append(f"| {release.name} | {versions} | {'; '.join(release.lacks) or 'nothing known'} |")
    return "\n".join(lines)


PARTS = {"roles": role_table, "modules": modules}
FIREWALL_PARTS = {"ports": ports}
CHECK_PARTS = {"findings": findings}
TESTED_PARTS = {"platforms": platforms, "releases": releases}
REMOTE_PARTS = {"requests": requests, "members": members, "answered": answered}


def fill(path: Path, parts: dict[str, Callable[[], str]]) -> str:
    """The text of ``path`` with every part filled."""
    if not path.is_file():
        raise StaleError(f"{path.name} is missing; write it with the markers named in docs/generate.py")
    text = path.read_text(encoding="utf-8")
    for name, make in parts.items():
        begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise StaleError(
                f"{path.name}: expected the lines '{begin}' and '{end}' once each, in this order; add them"
            )
        before, rest = text.split(begin)
        after = rest.split(end)[1]
        text = f"{before}{begin}\n{make()}\n{end}{after}"
    return text


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing, fail when something is stale")
    check = parser.parse_args(arguments).check
    try:
        wanted = {
            REFERENCE: fill(REFERENCE, PARTS),
            FIREWALL: fill(FIREWALL, FIREWALL_PARTS),
            CHECK: fill(CHECK, CHECK_PARTS),
            CLIENTS: fill(CLIENTS, client_tables()),
            REMOTE: fill(REMOTE, REMOTE_PARTS),
            TESTED: fill(TESTED, TESTED_PARTS),
            SCHEMA: json.dumps(json_schema(), indent=2) + "\n",
            **pages(),
            **examples(),
        }
        surplus = set(PAGES.glob("*.md")) - set(wanted)
        stale = [
            path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text
        ]
        if check and (stale or surplus):
            raise StaleError(
                f"{', '.join(path.name for path in (*stale, *surplus))}: stale; run: .venv/bin/python docs/generate.py"
            )
    except StaleError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    for path in surplus:
        path.unlink()
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
