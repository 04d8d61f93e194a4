#!/usr/bin/python
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A self-signed certificate."""

from __future__ import annotations

DOCUMENTATION = r"""
module: self_signed_certificate
short_description: Create and renew a self-signed certificate with openssl
version_added: 0.2.0
description:
  - Creates an RSA key of 3072 bits, if there is none, and a self-signed certificate.
  - Renews the certificate with the same key before it expires, if its names differ from the options, if it belongs to
    another key, or if it is valid for longer than O(days) from now. A higher O(days) alone does not renew it at once,
    but takes effect at the next renewal.
  - A certificate with the right names from another tool, such as community.crypto, stays until its renewal is due.
  - The certificate always belongs to the key beside it, even if the run is killed.
  - Needs no Python library on the host, only the package C(openssl).
author: secure_ftp.server contributors (@secure_ftp)
extends_documentation_fragment:
  - secure_ftp.server.attributes
options:
  certificate:
    description:
      - The certificate file, in PEM. Root owns it, mode 0644; another owner or mode is corrected.
    type: path
    required: true
  key:
    description:
      - The private key file, in PEM. Root owns it, mode 0600; another owner or mode is corrected.
    type: path
    required: true
  common_name:
    description:
      - The name of the host, up to 64 characters.
    type: str
    required: true
  subject_alt_name:
    description:
      - The names that clients use for the host, such as V(DNS:ftp.example.net) and V(IP:192.0.2.1).
    type: list
    elements: str
    required: true
  days:
    description:
      - How many days a new certificate is valid. An existing certificate is renewed if it expires more than a day later
        than a new one would.
    type: int
    default: 825
  renew_days:
    description:
      - The certificate is renewed this many days before it expires.
    type: int
    default: 30
"""

EXAMPLES = r"""
- name: Create a certificate for the FTPS server
  secure_ftp.server.self_signed_certificate:
    certificate: /etc/ssl/certs/vsftpd.crt
    key: /etc/ssl/private/vsftpd.key
    common_name: ftp.example.net
    subject_alt_name: ["DNS:ftp.example.net"]
  notify: Restart vsftpd
"""

RETURN = r"""
reasons:
  description: Why the certificate was created or renewed; empty if it stays.
  returned: success
  type: list
  elements: str
  sample: ["it ends in less than 30 days"]
mended:
  description: Existing files whose owner or mode was corrected.
  returned: success
  type: list
  elements: str
  sample: [/etc/ssl/private/vsftpd.key]
not_after:
  description: The last day of the certificate, in UTC. In check mode, of the certificate that would be created.
  returned: success
  type: str
  sample: "2028-02-28"
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.secure_ftp.server.plugins.module_utils._ansible.module import run
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.certificate import Wish
from ansible_collections.secure_ftp.server.plugins.module_utils._tls.self_signed import ensure


def _logic(module: AnsibleModule) -> dict[str, Any]:
    options = dict(module.params)
    wish = Wish(names=options.pop("subject_alt_name"), **options)
    outcome = ensure(wish, module.check_mode)
    return {
        "changed": outcome.changed,
        "reasons": outcome.reasons,
        "mended": outcome.mended,
        "not_after": outcome.after["not_after"],
        "diff": {
            "before_header": wish.certificate,
            "after_header": wish.certificate,
            "before": outcome.before,
            "after": outcome.after,
        },
    }


def main() -> None:
    """Run the module."""
    spec = {
        "certificate": {"type": "path", "required": True},
        "key": {"type": "path", "required": True, "no_log": False},
        "common_name": {"type": "str", "required": True},
        "subject_alt_name": {"type": "list", "elements": "str", "required": True},
        "days": {"type": "int", "default": Wish.days},
        "renew_days": {"type": "int", "default": Wish.renew_days},
    }
    run({"argument_spec": spec}, _logic)


if __name__ == "__main__":
    main()
