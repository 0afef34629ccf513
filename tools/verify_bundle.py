"""Checks the copy of a run that `swarm-ray export` wrote, offline and without swarm_ray.

    python verify_bundle.py review.bundle [--root-key HEX] [--jobs N]

Needs Python 3.10 or newer and `cryptography`. Written a second time from docs/formats/bundle_file.md
of swarm_ray: it shares no code with it. Exit code: 0 unchanged, 1 refused, 2 cannot be checked.
"""

import argparse
import base64
import json
import multiprocessing.pool as pools
import pathlib
import re
import sys
import tarfile
import time
from collections import Counter
from hashlib import sha256
from json.encoder import encode_basestring as quoted

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PRIME = 2**255 - 19
# y coordinates of the points of order 1, 2, 4 and 8: under such a "key" anybody can sign.
LOW_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
LOW_ORDER = {0, 1, LOW_8, PRIME - LOW_8, PRIME - 1}
SUPERIOR = {"root": "root", "site": "root", "coordinator": "site", "log": "site", "host": "site"}
COMMITMENTS = "inputs manifest context default detail answer output error extras outcome reason"
COMMITMENTS = (*COMMITMENTS.split(), "result", "report", "arguments")
NAMES = "isolation issuer keyid name organisation public_key role signature site"
CERTIFICATE = dict.fromkeys(NAMES.split(), "") | {"not_after_us": 0, "not_before_us": 0}
CERTIFICATE |= {"serial": 0, "slots": 0}
CHECKPOINT = "epoch kind log_id log_kind root size state time_us"
INDEX = {"log.checkpoint": CHECKPOINT, "log.heartbeat": "epoch every_us kind state time_us"}
NUMBERS = {"epoch", "every_us", "size", "time_us"}
FRAME = rb'{(?:"acted":[^]]*],)?"epoch":([0-9]+),"event":.*"time_us":([0-9]+)}'
SETTLED = b'"kind":"attempts.settled"'
KEYS, KEY = re.compile(rb'[{,]"((?:[^"\\]|\\.)*)":'), re.compile(b"[a-z][a-z0-9_]*")
LONG, DIGITS = re.compile(rb"9[0-9]{15}"), bytes.maketrans(b"123456789", b"000000000")
SEAL = "(\\S+)\n([0-9]+)\n([A-Za-z0-9+/]{43}=)\n\n— (\\S+) ([A-Za-z0-9+/]{91}=)\n"
FLAWS = (ValueError, LookupError, TypeError, AttributeError, RecursionError, InvalidSignature)
PLACE = [""]  # what is being looked at


class Refused(Exception):
    """The copy does not hold; the text says why, for anybody to read."""

    def __init__(self, why):
        if isinstance(why, InvalidSignature):
            why = ValueError("a signature does not fit it, so it is not what was signed")
        lacks = "it lacks " if isinstance(why, KeyError) else ""
        super().__init__(
            why if isinstance(why, str) else f"{PLACE[0]} does not hold: {lacks}{why}."
        )


sha = lambda data: sha256(data).digest()
leaf_hash = lambda data: sha256(b"\x00" + data).digest()
bodies_of = lambda event: {event[name]: name for name in COMMITMENTS if event.get(name)}
encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def roots(leaves, sizes):
    """Return the RFC 6962 root over the first so many leaf hashes, for ascending sizes."""
    peaks, count, found = [], 0, []
    for size in sizes:
        for leaf in leaves[count:size]:
            at, count = count, count + 1
            while at & 1:
                leaf, at = sha256(b"\x01" + peaks.pop() + leaf).digest(), at >> 1
            peaks.append(leaf)
        result = peaks[-1] if peaks else sha(b"")
        for peak in reversed(peaks[:-1]):
            result = sha(b"\x01" + peak + result)
        found.append(result)
    return found


def root_by(leaf, index, size, path):
    """Return the root that a path leads to (RFC 6962 section 2.1.1)."""
    if size == 1 and not path:
        return leaf
    half, (*rest, last) = 1 << (size - 1).bit_length() - 1, path  # fails for another length
    if index < half:
        return sha(b"\x01" + root_by(leaf, index, half, rest) + last)
    return sha(b"\x01" + last + root_by(leaf, index - half, size - half, rest))


def integer(text):
    if len(text) > 17 or not text.lstrip("-").isdecimal() or abs(int(text)) >= 2**53:
        raise ValueError(f"it holds the number {text}")
    return int(text)


def parse(data):
    """Return canonical JSON: no floats, no integers of 2^53 or more, no repeated or foreign keys,
    and no other spelling of the same value."""
    # Only documents with digits for 2^53 or more are read the slow way.
    long = b"0" * 17 in data.translate(DIGITS) or LONG.search(data)
    long = {"parse_int": integer} if long else {}
    value = json.loads(data.decode(), parse_float=integer, parse_constant=integer, **long)
    foreign = not data.isascii() and not all(map(KEY.fullmatch, KEYS.findall(data)))
    if foreign or encode(value).encode() != data:
        raise ValueError("it is not written in the one form that is allowed")
    return value


class Key:
    """An Ed25519 public key; refuses encodings that are no proper key."""

    def __init__(self, text):
        self.raw = bytes.fromhex(text)
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        if len(self.raw) != 32 or text != self.raw.hex() or y >= PRIME or y in LOW_ORDER:
            raise ValueError("a public key is none, or one under which anybody can sign")
        self.keyid = sha(self.raw).hex()
        self.verify = Ed25519PublicKey.from_public_bytes(self.raw).verify

    def check(self, text, kind, value):
        """Check a signature in hexadecimal over canonical JSON of a kind (DSSE v1)."""
        kind, payload = f"application/vnd.swarm-ray.{kind}.v1+json", encode(value).encode()
        head = f"DSSEv1 {len(kind)} {kind} {len(payload)} "
        self.verify(bytes.fromhex(text), head.encode() + payload)


def read_container(data):
    """Return the files by name. Every byte outside their contents must be the expected one."""
    files, at, before = {}, 0, ""
    while name := bytes(data[at : at + 100]).rstrip(b"\x00").decode("ascii", "replace"):
        block, info = bytes(data[at : at + 512]), tarfile.TarInfo(name)
        size = block[124:135] if re.fullmatch(b"[0-7]{11}", block[124:135]) else b"0"
        start, info.size = at + 512, int(size, 8)
        end = start + info.size
        at = end + -info.size % 512
        fits = name.isascii() and block == info.tobuf(tarfile.USTAR_FORMAT) and name > before
        if not fits or bytes(data[end:at]) != bytes(at - end):
            raise Refused(f"This file is damaged or was changed near its part {name[:80]!r}.")
        files[name], before = bytes(data[start:end]), name
    if bytes(data[at:]) != bytes(1024):
        raise Refused("This file was cut off, or something was added to its end.")
    return files


def tiles(log, level, count):
    """Yield the names of the files of a level (C2SP tlog-tiles) with the range that each holds."""
    for number in range((count + 255) // 256):
        first, last = number * 256, min(count, number * 256 + 256)
        text = f"{number % 1000:03d}"
        while number := number // 1000:
            text = f"x{number % 1000:03d}/{text}"
        narrow = "" if last - first == 256 else f".p/{last - first}"
        yield f"{log}/tile/{level}/{text}{narrow}", first, last


def read_log(files, log, size):
    """Return the entries of a log and their leaf hashes; the tiles must follow from them."""
    entries, level = [], 0
    for name, first, last in tiles(log, "entries", size):
        data, at = files.pop(name), 0
        for _ in range(first, last):
            start = at + 2
            at = start + int.from_bytes(data[at:start], "big")
            entries.append(data[start:at])
        if at != len(data):
            raise Refused(f"The entries of the {log} log are cut off or joined otherwise.")
    leaves = hashes = [leaf_hash(entry) for entry in entries]
    while hashes:
        for name, first, last in tiles(log, level, len(hashes)):
            tile, hashed = files.pop(name), b"".join(hashes[first:last])
            for at in range(first, last) if tile != hashed and not level else ():
                if tile[(at - first) * 32 :][:32] != hashes[at]:
                    raise Refused(f"Entry {at} of the {log} log was altered after it was written.")
            if tile != hashed:
                raise Refused(f"The list of hashes of the {log} log was changed.")
        full = range(0, len(hashes) - 255, 256)
        hashes, level = [roots(hashes[at : at + 256], [256])[0] for at in full], level + 1
    return entries, leaves


def read_entry(log, seq, data):
    PLACE[:] = [f"Entry {seq} of the {log} log"]
    record = parse(data)
    time_us, epoch = record["time_us"], record["epoch"]
    known = record.keys() - {"acted"} == {"kind", "event", "time_us", "epoch"}
    if not known or type(time_us) is not int or type(epoch) is not int:
        raise ValueError("it has other fields than an entry there has")
    return record["kind"], record["event"], time_us, epoch


class Roster:
    def __init__(self, entries):
        self.enrolled, self.ended, self.keys = {}, {}, {}
        for seq, data in enumerate(entries):
            kind, event, time_us, _ = read_entry("admin", seq, data)
            if kind == "key.enrolled":
                event, key = CERTIFICATE | event, Key(event["public_key"])
                if event.keys() != CERTIFICATE.keys() or key.keyid != event["keyid"]:
                    raise ValueError("it names its key wrongly")
                self.keys[key.keyid] = key
                self.enrolled.setdefault(key.keyid, []).append((time_us, event))
            elif kind in ("key.rotated", "key.revoked"):
                keyid, issuer = event["keyid"], event["issuer"]
                mine = {SUPERIOR[one["role"]] for _, one in self.enrolled[keyid]} | {"root"}
                if issuer != keyid and not mine & {one["role"] for _, one in self.enrolled[issuer]}:
                    raise ValueError("a key ends another that it has no say in")
                self.ended[keyid] = min(self.ended.get(keyid, 2**63), event["since_us"])
            elif kind not in ("host.left", "anchor.kept", "anchor.failed"):
                raise ValueError("it is of an unknown kind")
            if event.get("issuer"):
                kind = "certificate" if kind == "key.enrolled" else "key-ending"
                signed = {name: value for name, value in event.items() if name != "signature"}
                self.keys[event["issuer"]].check(event["signature"], kind, signed)

    def signer(self, keyid, role, time_us, trusted):
        found = [one for one in self.enrolled.get(keyid, ()) if one[1]["role"] == role]
        name = f"the key of {role} {found[-1][1]['name']!r}" if found else f"a {role}'s key"
        if time_us >= self.ended.get(keyid, 2**63):
            raise ValueError(f"{name} had been withdrawn")
        for since_us, one in reversed(found):
            if not one["issuer"] or not one["not_before_us"] <= time_us <= one["not_after_us"]:
                continue
            if role == "root" and keyid in (trusted or ()):
                return one
            if one["issuer"] != keyid:
                self.signer(one["issuer"], SUPERIOR[role], since_us, trusted)
            elif role != "root" or trusted is not None:
                raise ValueError(f"{name} vouches for itself and is no root that you trust")
            return one
        raise ValueError(f"{name} was vouched for by nobody at that time")


def read_index(entries):
    """Return where each log stood, the last time, and how often the coordinator was silent."""
    stands, last_us, epoch, every_us, silences = {}, 0, 0, 0, 0
    for seq, data in enumerate(entries):
        PLACE[:] = [f"Entry {seq} of the index log"]
        record = parse(data)
        typed = all((type(value) is int) == (name in NUMBERS) for name, value in record.items())
        known = " ".join(sorted(record)) == INDEX[record["kind"]]
        if not typed or not known or record["epoch"] < epoch or record["time_us"] < 0:
            raise ValueError("it is none that an index holds")
        silences += bool(every_us) and record["time_us"] - last_us > 2 * every_us
        last_us, epoch = max(last_us, record["time_us"]), record["epoch"]
        if record["kind"] == "log.heartbeat":
            every_us = 0 if record["state"] == "stopping" else record["every_us"]
            continue
        stand = stands.setdefault(record["log_id"], [])
        stand.append((record["size"], bytes.fromhex(record["root"])))
        if stand[-1][1].hex() != record["root"] or stand[-1][0] < max(stand[:-1] or [(0,)])[0]:
            raise ValueError("it lets a log shrink")
    return stands, last_us, silences


def check_stand(log, leaves, stands):
    """Check that a log had each of these roots at its size, and ends at the last."""
    sizes, at = [size for size, _ in stands], 0
    if sizes[-1:] != [len(leaves)]:
        sealed = f"{len(leaves)} entries here, {(sizes or ['none'])[-1]} were sealed"
        raise Refused(f"The {log} log has {sealed}: something is missing or was added.")
    for (size, root), found in zip(stands, roots(leaves, sizes)):
        if found != root:
            many = f"Entries {at} to {size - 1} of the {log} log"
            raise Refused(f"{many} are not, or not all, those that were sealed.")
        at = size


def check_seal(seal, leaves, roster, time_us, trusted):
    """Check a C2SP checkpoint of the index; return the certificate of the root it hangs on."""
    PLACE[:] = ["The seal of the index"]
    found = re.fullmatch(SEAL, seal.decode())
    origin, sealed, digest, name, line = found.groups() if found else [""] * 5
    key_id, signature = base64.b64decode(line)[:4], base64.b64decode(line)[4:]
    if not found or name != origin or base64.b64encode(key_id + signature).decode() != line:
        raise ValueError("it is not written as a seal is")
    text, root = f"{origin}\n{sealed}\n{digest}\n", roots(leaves, [len(leaves)])[0]
    if [str(len(leaves)), base64.b64encode(root).decode()] != [sealed, digest]:
        raise ValueError(f"it seals {sealed} entries, and not those {len(leaves)} that are here")
    for keyid, key in roster.keys.items():
        known = roster.enrolled[keyid][-1][1]["name"] == origin
        if known and sha(origin.encode() + b"\n\x01" + key.raw)[:4] == key_id:
            key.verify(signature, text.encode())
            found = roster.signer(keyid, "log", time_us, trusted)
            while found["issuer"] != found["keyid"] and found["keyid"] not in (trusted or ()):
                found = roster.enrolled[found["issuer"]][-1][1]
            return found
    raise ValueError("it was made with a key that stands nowhere in this copy")


class Run:
    def __init__(self, files, entries, roster, trusted):
        self.entries, self.roster, self.trusted, self.opened = entries, roster, trusted, {}
        self.items, self.swarms, self.sent, self.effects, self.named = {}, {}, {}, [], {}
        self.settled, self.status, before = [], "open", (0, 0)
        for seq, data in enumerate(entries):
            PLACE[:] = [f"Entry {seq} of the run log"]
            epoch, time_us = map(int, re.fullmatch(FRAME, data, re.DOTALL).groups())
            if epoch < before[0] or time_us < before[1]:
                raise ValueError("it is older than the one before it")
            before = epoch, time_us
            if SETTLED in data:
                self.settled.append(seq)
                continue
            kind, event, _, epoch = read_entry("run", seq, data)
            if (kind == "run.opened") != (seq == 0):
                raise ValueError("a run is opened by its first entry and no other")
            if kind == "run.opened":
                self.opened = event
            elif kind == "swarm.opened":
                self.swarms[event["swarm"]] = event
                if data := files.pop(f"items/{event['swarm']}", None):
                    self.items[event["swarm"]] = data.hex()
                    leaves = [leaf_hash(data[at : at + 32]) for at in range(0, len(data), 32)]
                    root = roots(leaves, [len(leaves)])[0].hex()
                    if (len(data), root) != (32 * event["items"], event["root"]):
                        raise ValueError("it names other items than those that are here")
            elif kind == "dispatched":
                self.sent[event["swarm"], event["batch"]] = (seq, epoch, event)
            elif kind == "effect.settled":
                self.effects.append(event)
            self.status = event["status"] if kind == "run.closed" else "open"
            if found := bodies_of(event):
                self.named = found | self.named

    def check_batch(self, seq, event, time_us):
        """Check the host's signature over the rows; return how many were checked, or why not."""
        sent_seq, epoch, sent = self.sent[event["swarm"], event["batch"]]
        host, rows = event["host"], event["rows"]
        ordered = dict(zip(sent["items"], sent["attempts"]))
        stray = [row["attempt"] for row in rows] != [ordered.get(row["item"]) for row in rows]
        if stray or sent_seq >= seq or sent["host"] != host:
            raise ValueError(f"it holds results of {host} that nobody ordered there")
        if not event.get("envelope"):
            return {"unsigned": len(rows)}
        by = self.roster.signer(event["keyid"], "host", time_us, self.trusted)
        if by["name"] != host:
            raise ValueError(f"it is signed by {by['name']} in the name of {host}")
        if event["swarm"] not in self.items:
            return {"unknown_inputs": len(rows)}
        leaves = [sha256(b"\x00" + one).digest() for one in self.statements(event, sent, by)]
        header = {key: event[key] for key in ("batch", "host", "swarm")}
        header |= {key: self.opened[key] for key in ("bundle", "run")}
        header |= {"count": len(rows), "epoch": epoch, "expires_us": 0, "kind": "results"}
        root, sequence = roots(leaves, [len(leaves)])[0].hex(), event.get("sequence", 0)
        header |= {"root": root, "sequence": sequence}
        self.roster.keys[event["keyid"]].check(event["envelope"], "batch", header)
        return {"batches": 1, "rows": len(rows)}

    def statements(self, event, sent, by):
        """Yield the statement of every row as the host built it: canonical JSON."""
        swarm, run, bundle = event["swarm"], self.opened["run"], self.opened["bundle"]
        context, items = self.swarms[swarm].get("context", ""), self.items[swarm]
        seed = sent.get("nonce", "").encode()
        host, site, organisation = (quoted(by[one]) for one in ("name", "site", "organisation"))
        isolation, mark = quoted(event.get("isolation", "")), '{"digest":{"swarmRayCommitment":"'
        for row in event["rows"]:
            item, attempt, get = row["item"], row["attempt"], row.get
            nonce = sha256(b"%b/%d/%d" % (seed, item, attempt)).hexdigest()[:32]
            name, start = "output" if row["status"] == "ok" else "error", get("start_us", 0)
            said = get("output") or get("error") or "0" * 64
            more = f',{mark}{row["extras"]}"}},"name":"artifact-0"}}' if get("extras") else ""
            yield (
                f'{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"attempt":{attempt:d},'
                f'"bundle":"{bundle}","code":{quoted(get("code", ""))},"confidencePpm":'
                f'{get("confidence_ppm", 0):d},"context":"{context}","endedUs":'
                f'{start + get("duration_us", 0):d},"host":{host},"input":'
                f'"{items[64 * item : 64 * item + 64]}","isolation":{isolation},"item":'
                f'{item:d},"label":{quoted(get("label", ""))},"model":"","nonce":"{nonce}",'
                f'"organisation":{organisation},"run":"{run}","site":{site},"startedUs":{start:d},'
                f'"status":{quoted(row["status"])},"swarm":"{swarm}","usage":{{"costMicrousd":'
                f'{get("microusd", 0):d},"cpuUs":{get("cpu_us", 0):d},"tokens":'
                f'{get("tokens", 0):d}}}}},"predicateType":'
                f'"https://swarm-ray.dev/attestation/execution/v1","subject":[{mark}{said}"}},'
                f'"name":"{name}"}}{more}]}}'
            ).encode()


def all_results(run, jobs):
    """Check all results, in several processes when they are many; return counts and bodies."""
    global WORK  # inherited by forked processes
    WORK, counts, named = run, Counter(), dict(run.named)
    many = jobs > 1 and len(run.settled) > 128 and sys.platform != "win32"
    with pools.get_context("fork").Pool(jobs) if many else pools.ThreadPool(1) as pool:
        for some, names in pool.map(one_result, run.settled, 64):
            counts.update(some)
            named.update(names)
    return counts, named


def one_result(seq):
    try:
        _, event, time_us, _ = read_entry("run", seq, WORK.entries[seq])
        counts, named = WORK.check_batch(seq, event, time_us), {}
        for row in event["rows"]:
            named |= {row[key]: key for key in ("output", "error", "extras") if row.get(key)}
    except FLAWS as error:
        raise Refused(error) from None
    return counts, named


def check_effects(rows, run, stand):
    """Return what became of each effect; an intent without an outcome is unknown."""
    fates, named, before, (size, root) = {}, {}, -1, stand
    for row in rows:
        seq, entry, path = row["seq"], row["entry"].encode(), row["path"]
        kind, event, _, _ = read_entry("effects", seq, entry)
        nodes = [bytes.fromhex(node) for node in path if len(node) == 64 and node == node.lower()]
        placed = len(row) == 3 and len(nodes) == len(path) and before < seq < size
        if not placed or root_by(leaf_hash(entry), seq, size, nodes) != root:
            raise ValueError("it was altered after it was sealed")
        key, before, intent = event["key"], seq, kind == "effect.proposed"
        if not (event["run"] == run.opened["run"] if intent else key in fates):
            raise ValueError("it belongs to another run")
        fate = "refused" if kind == "effect.refused" else event.get("status", "unknown")
        fates[key] = fates.get(key, fate) if intent else fate
        named = bodies_of(event) | named
    for told in run.effects:
        if fates.get(told["key"], "failed") != told["status"]:
            raise Refused(f"Run and effects log contradict each other: {told['key'][:16]}.")
    return fates, named


def check(data, trusted, jobs=1):
    """Check a copy; return what it shows, or raise Refused with the first thing that is wrong."""
    PLACE[:] = ["The table of contents, or the list of effects,"]
    try:
        return check_files(read_container(data), trusted, jobs)
    except FLAWS as error:
        raise Refused(error) from None


def check_files(files, trusted, jobs):
    about, effects = parse(files.pop("manifest.json")), parse(files.pop("effects.json"))
    logs = {log: read_log(files, log, about["sizes"][log]) for log in ("admin", "index", "run")}
    stands, sealed_us, silences = read_index(logs["index"][0])
    check_stand("admin", logs["admin"][1], stands.get("admin", ()))
    roster, seal = Roster(logs["admin"][0]), files.pop("index/checkpoint")
    root = check_seal(seal, logs["index"][1], roster, sealed_us, trusted)
    check_stand("run", logs["run"][1], stands.get(about["run"], ()))
    run = Run(files, logs["run"][0], roster, {root["keyid"]} if trusted is None else trusted)
    counts, named = all_results(run, jobs)
    fates, more = check_effects(effects, run, stands.get("effects", [(0, b"")])[-1])
    named = more | named
    here = {name[7:]: files.pop(name) for name in [*files] if name.startswith("bodies/")}
    for name, body in here.items():
        if name not in named or sha(body).hex() != name:
            raise Refused(f"The body {name[:16]} was altered, or does not belong here.")
    sizes = {name: len(entries) for name, (entries, _) in logs.items()} | {"effects": len(effects)}
    if files or about != {"format": "swarm-ray-bundle/1", "run": run.opened["run"], "sizes": sizes}:
        raise Refused(f"The table of contents does not fit: {[*files] or 'it says other things'}.")
    gone = Counter(field for commitment, field in named.items() if commitment not in here)
    facts = {"run": about["run"], "process": run.opened["process"], "status": run.status}
    facts |= {"entries": sizes["run"], "sealed_us": sealed_us, "root_key": root["public_key"]}
    facts |= {name: counts[name] for name in ("batches", "rows", "unsigned", "unknown_inputs")}
    facts |= {"effects": dict(sorted(Counter(fates.values()).items())), "bodies": len(here)}
    facts |= {"gone": dict(sorted(gone.items())), "silences": silences}
    return facts | {"trusted": trusted is not None}


def told(facts):
    """Yield what a copy shows in sentences."""
    sealed = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(facts["sealed_us"] // 10**6))
    yield f"UNCHANGED. This is the record of run {facts['run']} as it was sealed on {sealed}."
    yield f"{facts['process']!a}, {facts['status']}: {facts['entries']} entries, {facts['rows']} results"
    yield f"in {facts['batches']} batches, each signed by the host that computed it."
    yield f"All signatures lead to the root key {facts['root_key']}, which"
    yield "you gave." if facts["trusted"] else "is in the copy itself: compare it with its owner's."
    for fate, count in facts["effects"].items():
        what = ": begun, and nobody can say what became of them" if fate == "unknown" else ""
        yield f"Effects outside that are {fate}{what}: {count}."
    if lost := facts["unsigned"] + facts["unknown_inputs"]:
        yield f"Not shown: who computed {lost} results, unsigned or without their inputs."
    for field, count in facts["gone"].items():
        yield f"Not in this copy: {count} x {field}. What it said cannot be shown any more."
    yield f"Times without a sign of life that was due: {facts['silences']}."
    yield "Unchanged does not mean true: signatures show who said something, not that it is so."


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Checks the copy of a run, offline.")
    parser.add_argument("file", help="what `swarm-ray export` wrote")
    parser.add_argument("--root-key", action="append", metavar="HEX", help="a root you trust")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="processes to use")
    chosen = parser.parse_args(arguments)
    try:
        trusted = chosen.root_key and {Key(text).keyid for text in chosen.root_key}
        facts = check(pathlib.Path(chosen.file).read_bytes(), trusted, chosen.jobs)
    except (OSError, ValueError) as error:
        print(f"CANNOT CHECK. {error}", file=sys.stderr)
        return 2
    except Refused as refused:
        print(f"REFUSED. {ascii(str(refused))[1:-1]}\nDo not rely on this copy; ask for another.")
        return 1
    print("\n".join(told(facts)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
