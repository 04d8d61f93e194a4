//: client: node ssh2-sftp-client
//: packages: nodejs npm
//: npm: ssh2-sftp-client@12.1.1
//: version: node -p 'require("/opt/clients/node_modules/ssh2-sftp-client/package.json").version'
//: modes: password key
//: times: none
//: hint: compare the key that `hostVerifier` gets with the known one, since without it every host key is accepted
"use strict";
const { createWriteStream, mkdirSync, readFileSync, readdirSync, statSync } = require("node:fs");
const { dirname, join } = require("node:path");
const Client = require("ssh2-sftp-client");

const { HOST, PORT, LOGIN, PASSWORD, KEY, KNOWN, ROOT, MODE } = process.env;
const [verb, one, two, names] = process.argv.slice(2);
const there = (path) => (path.startsWith("/") ? path : `${ROOT}${path}`);

const doings = {
    list: async (sftp) => console.log((await sftp.list(there(one))).map((entry) => entry.name).join("\n")),
    put: (sftp) => sftp.fastPut(one, there(two)),
    get: (sftp) => sftp.fastGet(there(one), two),
    rename: (sftp) => sftp.rename(there(one), there(two)),
    delete: (sftp) => sftp.delete(there(one)),
    resume: (sftp) => {
        const rest = createWriteStream(two, { flags: "a" });
        return sftp.get(there(one), rest, { readStreamOptions: { start: statSync(two).size } });
    },
    many: async (sftp) => {
        for (const name of readdirSync(one)) await sftp.fastPut(join(one, name), `${there(two)}/${name}`);
    },
    tree: (sftp) => sftp.uploadDir(one, there(two)),
    "tree-back": async (sftp) => {
        for (const name of readFileSync(names, "utf8").trim().split("\n")) {
            mkdirSync(dirname(join(two, name)), { recursive: true });
            await sftp.fastGet(`${there(one)}/${name}`, join(two, name));
        }
    },
};

async function main() {
    const sftp = new Client();
    const login = MODE === "key" ? { privateKey: readFileSync(KEY) } : { password: PASSWORD };
    const known = readFileSync(KNOWN, "utf8");
    const hostVerifier = (key) => known.includes(key.toString("base64"));
    const algorithms = { serverHostKey: ["ssh-ed25519"] };
    try {
        await sftp.connect({ host: HOST, port: Number(PORT), username: LOGIN, ...login, hostVerifier, algorithms });
        await doings[verb](sftp);
    } finally {
        await sftp.end();
    }
}

main().catch((error) => {
    console.error(error);
    process.exitCode = 1;
});
