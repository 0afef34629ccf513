"""Checks the copy of a run that `swarm-ray export` wrote, offline and without swarm_ray.

    python verify_bundle.py review.bundle [--root-key HEX] [--jobs N]

Needs Python 3.10 and `cryptography`. Exit code: 0 unchanged, 1 refused, 2 cannot be checked.
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
LOW_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
LOW_ORDER = {0, 1, LOW_8, PRIME - LOW_8, PRIME - 1}  # y of points under which anybody can sign
SUPERIOR = {"root": "root", "site": "root", "coordinator": "site", "log": "site", "host": "site"}
COMMITMENTS = "inputs manifest context default detail answer output error extras outcome reason"
COMMITMENTS = (*COMMITMENTS.split(), "result", "report", "arguments")
KINDS = """run.opened swarm.opened step.refused placed dispatched attempts.settled host.lost timer
items.stranded cancel.asked decided swarm.converged converge.refused effect.settled run.resumed
run.closed key.enrolled key.rotated key.revoked host.left anchor.kept anchor.failed effect.proposed
effect.granted effect.refused effect.started effect.ended sandbox.seen"""
INTEGER = """(?:.*_)?(us|microusd|tokens|ppm)|alike|attempt|batch|domains|epoch|item|lanes|lease|round
|rule|semantics|sequence|serial|size|slots|sub_agents""".replace("\n", "")
TYPES = dict.fromkeys(("rows", "assignments", "attempts"), (list,)) | {"failed": (bool,)}
TYPES |= {"step": (int, str), "items": (int, list)}
INDEX = {"log.checkpoint": "epoch kind log_id log_kind root size state time_us"}
INDEX["log.heartbeat"] = "epoch every_us kind state time_us"
CERTIFICATE = "isolation issuer name organisation role signature site"
CERTIFICATE = dict.fromkeys(CERTIFICATE.split(), "") | {"serial": 0, "slots": 0}
CERTIFICATE |= {"not_after_us": 0, "not_before_us": 0}
TALLY, OF_ROWS = {"batches", "rows", "unsigned", "unknown_inputs"}, ("output", "error", "extras")
FATES = "done", "failed", "refused", "unknown", "cancelled", "deadline", "budget"
FRAME = rb'{(?:"acted":[^]]*],)?"epoch":([0-9]+),"event":.*"time_us":([0-9]+)}'
SETTLED, KNOWN, PLACE = b'"kind":"attempts.settled"', set(), [""]  # ... what is being looked at
LONG, DIGITS = re.compile(rb"9[0-9]{15}"), bytes.maketrans(b"123456789", b"000000000")
SEAL = "(\\S+)\n([0-9]+)\n([A-Za-z0-9+/]{43}=)\n\n— (\\S+) ([A-Za-z0-9+/]{91}=)\n"
FLAWS = (ValueError, LookupError, TypeError, AttributeError, RecursionError, InvalidSignature)


class Refused(Exception):
    def __init__(self, why):
        why = f"it lacks {why}" if isinstance(why, KeyError) else str(why)
        why = why or "a signature does not fit it, so it is not what was signed"  # InvalidSignature
        super().__init__(why if why.endswith(".") else f"{PLACE[0]} does not hold: {why}.")


def need(holds, why):
    if not holds:
        raise ValueError(why)


sha = lambda data: sha256(data).digest()
leaf_hash = lambda data: sha256(b"\x00" + data).digest()
bodies_of = lambda event: {event[name]: name for name in COMMITMENTS if event.get(name)}
integer = lambda text: int(text) if abs(int(text[:18])) < 2**53 else need(0, f"it holds {text[:9]}")
encode = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


def roots(leaves, sizes):  # RFC 6962, over the first so many leaf hashes
    levels, found = [leaves], []
    while len(below := levels[-1]) > 1:
        pairs = zip(below[::2], below[1::2])
        levels.append([sha256(b"\x01" + one + two).digest() for one, two in pairs])
    for size in sizes:
        full = [bit for bit in range(size.bit_length()) if size >> bit & 1]
        peaks = [levels[bit][(size >> bit) - 1] for bit in full] or [sha(b"")]
        result = peaks[0]
        for peak in peaks[1:]:
            result = sha(b"\x01" + peak + result)
        found.append(result)
    return found


def root_by(leaf, index, size, path):
    if size == 1 and not path:
        return leaf
    half, (*rest, last) = 1 << (size - 1).bit_length() - 1, path  # fails for another length
    if index < half:
        return sha(b"\x01" + root_by(leaf, index, half, rest) + last)
    return sha(b"\x01" + last + root_by(leaf, index - half, size - half, rest))


def unhex(text, size):
    raw = bytes.fromhex(text)  # which also reads capitals and spaces
    need(len(raw) == size and raw.hex() == text, "bytes in it are not in their one form")
    return raw


def parse(data):
    # Canonical JSON. Only documents with digits for 2^53 or more are read the slow way.
    long = b"0" * 17 in data.translate(DIGITS) or LONG.search(data)
    more = {"parse_int": integer} if long else {}
    value = json.loads(data.decode(), parse_float=integer, parse_constant=integer, **more)
    need(encode(value).encode() == data, "it is not written in the one form that is allowed")
    return value


def typed(value):
    if (seen := (*value, *map(type, value.values()))) not in KNOWN:
        for name, one in value.items():
            types = TYPES.get(name, (int if re.fullmatch(INTEGER, name) else str,))
            fits = type(one) in types and re.fullmatch("[a-z][a-z0-9_]*", name)
            need(fits, f"its field {name!r} is of another type than it must be")
        KNOWN.add(seen)
    return value


class Key:
    def __init__(self, text):
        self.raw = unhex(text, 32)
        y = int.from_bytes(self.raw, "little") & (2**255 - 1)
        # On the curve -x^2 + y^2 = 1 + d x^2 y^2, d = -121665/121666 (RFC 8032 section 5.1).
        square = (y * y - 1) * (121666 - 121665 * y * y) * 121666
        proper = y < PRIME and y not in LOW_ORDER and pow(square, PRIME // 2, PRIME) == 1
        need(proper, "a public key is none, or one under which anybody can sign")
        self.keyid = sha(self.raw).hex()
        self.verify = Ed25519PublicKey.from_public_bytes(self.raw).verify

    def check(self, text, kind, value):
        kind, payload = f"application/vnd.swarm-ray.{kind}.v1+json", encode(value).encode()
        head = f"DSSEv1 {len(kind)} {kind} {len(payload)} "
        self.verify(unhex(text, 64), head.encode() + payload)


def read_container(data):
    files, at, before = {}, 0, ""
    while name := bytes(data[at : at + 100]).rstrip(b"\x00").decode("ascii", "replace"):
        block, info = bytes(data[at : at + 512]), tarfile.TarInfo(name)
        info.size = int(block[124:135], 8) if re.fullmatch(b"[0-7]{11}", block[124:135]) else 0
        start, end = at + 512, at + 512 + info.size
        at = end + -info.size % 512
        fits = block == info.tobuf(tarfile.USTAR_FORMAT) and data[end:at] == bytes(at - end)
        why = f"This file is damaged or was changed near its part {name[:80]!r}."
        need(fits and name > before and name.isascii(), why)
        files[name], before = bytes(data[start:end]), name
    need(bytes(data[at:]) == bytes(1024), "This file was cut off, or added to at its end.")
    return files


def tiles(log, level, count):  # C2SP tlog-tiles: names of files and the range in each
    for number in range((count + 255) // 256):
        first, last = number * 256, min(count, number * 256 + 256)
        text = f"{number % 1000:03d}"
        while number := number // 1000:
            text = f"x{number % 1000:03d}/{text}"
        narrow = "" if last - first == 256 else f".p/{last - first}"
        yield f"{log}/tile/{level}/{text}{narrow}", first, last


def read_log(files, log, size):
    entries, level = [], 0
    for name, first, last in tiles(log, "entries", size):
        data, at = files.pop(name), 0
        for _ in range(first, last):
            start, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
            entries.append(data[start:at])
        need(at == len(data), f"The entries of the {log} log are cut off or joined.")
    leaves = hashes = [leaf_hash(entry) for entry in entries]
    while hashes:
        for name, first, last in tiles(log, level, len(hashes)):
            tile, hashed = files.pop(name), b"".join(hashes[first:last])
            for at in range(first, last) if tile != hashed and not level else ():
                same = tile[(at - first) * 32 :][:32] == hashes[at]
                need(same, f"Entry {at} of the {log} log was altered after it was written.")
            need(tile == hashed, f"The list of hashes of the {log} log was changed.")
        full = range(0, len(hashes) - 255, 256)
        hashes, level = [roots(hashes[at : at + 256], [256])[0] for at in full], level + 1
    return entries, leaves


def read_entry(log, seq, data):
    PLACE[:] = [f"Entry {seq} of the {log} log"]
    record = parse(data)
    time_us, epoch, kind = record["time_us"], record["epoch"], record["kind"]
    acted = [type(one) for one in record.get("acted", (0, ""))] == [int, str]
    known = record.keys() - ({"acted"} if log == "run" and acted else ())
    framed = known == {"kind", "event", "time_us", "epoch"} and kind in KINDS.split()
    framed = framed and [type(time_us), type(epoch)] == [int, int]
    need(framed, "it has other fields than an entry there has, or is of no kind")
    return kind, typed(record["event"]), time_us, epoch


class Roster:
    def __init__(self, entries):
        self.enrolled, self.keys, self.words, self.above = {}, {}, [], {}
        for seq, data in enumerate(entries):
            kind, event, time_us, _ = read_entry("admin", seq, data)
            if not kind.startswith("key."):
                continue
            keyid, issuer = event["keyid"], event.get("issuer", "")
            if kind == "key.enrolled":
                event, key = CERTIFICATE | event, Key(event["public_key"])
                known = len(event) == len(CERTIFICATE) + 2 and event["role"] in SUPERIOR
                need(known and key.keyid == keyid, "it names its key wrongly, or no role")
                self.keys[keyid] = key
                self.enrolled.setdefault(keyid, []).append(event)
                above = self.above.get(issuer, ()) if issuer != keyid else ()
                need(len(above) <= 64, "more than 64 roots replaced each other")
                self.above.setdefault(keyid, above + (keyid,) * (event["role"] == "root"))
            if issuer or kind != "key.enrolled":
                signed = {name: value for name, value in event.items() if name != "signature"}
                what = "certificate" if kind == "key.enrolled" else "key-ending"
                self.keys[issuer].check(event.get("signature", ""), what, signed)
            self.words.append((time_us, event | {"keyid": self.keys[keyid].keyid}))
        self.signs = {one.get("name") for _, one in self.words if one.get("role") == "host"}

    def believe(self, trusted):
        # All words in order, then again with all endings known. What strangers said counts nothing.
        self.ended = {}
        for _ in range(2):
            self.found = {}
            for time_us, one in self.words:
                keyid, issuer = one["keyid"], one["issuer"]
                if "since_us" in one:
                    roles = {"root"} | {SUPERIOR[old["role"]] for old in self.enrolled[keyid]}
                    if issuer == keyid or any(self.signer(issuer, x, time_us)[1] for x in roles):
                        since = one["since_us"] or ("successor" in one) * (time_us + 1)
                        self.ended[keyid] = min(self.ended.get(keyid, 2**63), since)
                    continue
                root = issuer != keyid and self.signer(issuer, SUPERIOR[one["role"]], time_us)[1]
                itself = one["role"] == "root" and issuer and keyid in trusted
                self.found.setdefault(keyid, []).append((one, one if itself else root))

    def signer(self, keyid, role, time_us):
        found = [pair for pair in self.found.get(keyid, ()) if pair[0]["role"] == role]
        name = f"the key of {role} {found[-1][0]['name']!r}" if found else f"a {role}'s key"
        if time_us >= self.ended.get(keyid, 2**63):
            return f"{name} had been withdrawn", None
        for one, root in reversed(found):
            if root and one["not_before_us"] <= time_us <= one["not_after_us"]:
                return one, root
        return f"{name} was vouched for by no root that you trust at that time", None


def read_index(entries):
    stands, last_us, epoch, every_us, silences = {}, 0, 0, 0, 0
    for seq, data in enumerate(entries):
        PLACE[:] = [f"Entry {seq} of the index log"]
        record = parse(data)
        known = " ".join(sorted(typed(record))) == INDEX[record["kind"]]
        need(known and record["epoch"] >= epoch and record["time_us"] >= 0, "no index holds it")
        silences += bool(every_us) and record["time_us"] - last_us > 2 * every_us
        last_us, epoch = max(last_us, record["time_us"]), record["epoch"]
        if record["kind"] == "log.heartbeat":
            every_us = 0 if record["state"] == "stopping" else record["every_us"]
            continue
        stand = stands.setdefault(record["log_id"], [])
        stand.append((record["size"], unhex(record["root"], 32)))
        need(stand[-1][0] >= (stand[-2:-1] or [(0,)])[0][0], "it lets a log shrink")
    return stands, last_us, silences


def check_stand(log, leaves, stands):
    sizes, at = [size for size, _ in stands], 0
    why = f"Of the {log} log {(sizes or ['none'])[-1]} entries were sealed, {len(leaves)} are here."
    need(sizes[-1:] == [len(leaves)], why)
    for (size, root), found in zip(stands, roots(leaves, sizes)):
        need(found == root, f"Entries {at} to {size - 1} of the {log} log are not those sealed.")
        at = size


def check_seal(seal, leaves, roster, time_us, trusted):
    PLACE[:] = ["The seal of the index"]
    found = re.fullmatch(SEAL, seal.decode())
    origin, sealed, digest, name, line = found.groups() if found else [""] * 5
    key_id, signature = base64.b64decode(line)[:4], base64.b64decode(line)[4:]
    fits = found and name == origin and base64.b64encode(key_id + signature).decode() == line
    need(fits, "it is not written as a seal is")
    root = base64.b64encode(roots(leaves, [len(leaves)])[0]).decode()
    need([str(len(leaves)), root] == [sealed, digest], "it seals other entries than those here")
    for keyid, key in roster.keys.items():
        named = origin in [one["name"] for one in roster.enrolled[keyid] if one["role"] == "log"]
        if named and sha(f"{origin}\n\x01".encode() + key.raw)[:4] == key_id:
            key.verify(signature, f"{origin}\n{sealed}\n{digest}\n".encode())
            above, why = roster.above[keyid], "no root vouches for its key"
            itself = above and above[0] in {one["issuer"] for one in roster.enrolled[above[0]]}
            for choice in [trusted] if trusted is not None else [{one} for one in above if itself]:
                roster.believe(choice)
                why, root = roster.signer(keyid, "log", time_us)
                if root:
                    return root
            raise ValueError(why)
    raise ValueError("it was made with a key that stands nowhere in this copy")


class Run:
    def __init__(self, files, entries, roster):
        self.entries, self.roster, self.opened = entries, roster, {}
        self.items, self.swarms, self.sent, self.effects, self.named = {}, {}, {}, [], {}
        self.settled, self.status, self.seen, before = [], "open", {}, (0, 0)
        for seq, data in enumerate(entries):
            PLACE[:] = [f"Entry {seq} of the run log"]
            epoch, time_us = map(int, re.fullmatch(FRAME, data, re.DOTALL).groups())
            need(epoch >= before[0] and time_us >= before[1], "it is older than the one before it")
            resumed, before = b'"kind":"run.resumed"' in data, (epoch, time_us)
            need(self.status == "open" or resumed, "the run had ended before it")
            if SETTLED in data:
                self.settled.append(seq)
                continue
            kind, event, _, epoch = read_entry("run", seq, data)
            need((kind == "run.opened") == (seq == 0), "a run is opened by its first entry alone")
            if not seq:
                self.opened, known = event, re.fullmatch("[0-9a-f]{32}", event["run"])
                known = known and event.get("semantics", 1) == 1
                need(known, "it is no run that one can read here")
            elif kind == "swarm.opened":
                self.swarms[event["swarm"]] = event
                if data := files.pop(f"items/{event['swarm']}", None):
                    self.items[event["swarm"]] = data.hex()
                    leaves = [leaf_hash(data[at : at + 32]) for at in range(0, len(data), 32)]
                    same = roots(leaves, [len(leaves)])[0].hex() == event["root"]
                    need(same and len(data) == 32 * event["items"], "it names other items")
            elif kind == "dispatched":
                self.sent[event["swarm"], event["batch"]] = (seq, epoch, event)
            elif kind == "effect.settled":
                self.effects.append(event)
            elif kind == "sandbox.seen":
                same = sha(event["description"].encode()).hex() == event["digest"]
                need(same, "it describes another sandbox than the one that it names")
                self.seen.setdefault(event["digest"], seq)
            self.status = FATES[FATES.index(event["status"])] if kind == "run.closed" else "open"
            if found := bodies_of(event):
                self.named = found | self.named

    def check_batch(self, seq, event, time_us):
        sent_seq, epoch, sent = self.sent[event["swarm"], event["batch"]]
        host, rows = event["host"], [typed(row) for row in event["rows"]]
        ordered = dict(zip(sent["items"], sent["attempts"]))
        fits = [row["attempt"] for row in rows] == [ordered.get(row["item"]) for row in rows]
        fits = fits and sent_seq < seq and sent["host"] == host
        need(fits, f"it holds results of {host} that nobody ordered there")
        seen = [self.seen.get(one, seq) < seq for one in event.get("sandbox", "").split()]
        need(all(seen), "it names a sandbox that no entry before it describes")
        if not event.get("envelope"):
            need(host not in self.roster.signs, f"{host} signs its results, these are not signed")
            return {"unsigned": len(rows)}
        by, root = self.roster.signer(event.get("keyid", ""), "host", time_us)
        need(root and by["name"] == host, f"{host} did not sign it: {by['name'] if root else by}")
        if event["swarm"] not in self.items:
            return {"unknown_inputs": len(rows)}
        leaves = [sha256(b"\x00" + one).digest() for one in self.statements(event, sent, by)]
        root, sequence = roots(leaves, [len(leaves)])[0].hex(), event.get("sequence", 0)
        header = {key: event[key] for key in ("batch", "host", "swarm")} | {"root": root}
        header |= {key: self.opened[key] for key in ("bundle", "run")} | {"sequence": sequence}
        header |= {"count": len(rows), "epoch": epoch, "expires_us": 0, "kind": "results"}
        self.roster.keys[event["keyid"]].check(event["envelope"], "batch", header)
        return {"batches": 1, "rows": len(rows), (event["swarm"], event["batch"], sequence): 1}

    def statements(self, event, sent, by):
        swarm, run, bundle = event["swarm"], self.opened["run"], self.opened["bundle"]
        context, items = self.swarms[swarm].get("context", ""), self.items[swarm]
        seed, mark = sent.get("nonce", "").encode(), '{"digest":{"swarmRayCommitment":"'
        host, site, organisation = (quoted(by[one]) for one in ("name", "site", "organisation"))
        isolation, sandbox = quoted(event.get("isolation", "")), event.get("sandbox", "")
        sandbox = f'"sandbox":{quoted(sandbox)},' if sandbox else ""
        for row in event["rows"]:
            item, attempt, get = row["item"], row["attempt"], row.get
            nonce = sha256(b"%b/%d/%d" % (seed, item, attempt)).hexdigest()[:32]
            name, start = "output" if row["status"] == "ok" else "error", get("start_us", 0)
            said = get("output") or get("error") or "0" * 64
            more = f',{mark}{row["extras"]}"}},"name":"artifact-0"}}' if get("extras") else ""
            yield (
                f'{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"attempt":{attempt},'
                f'"bundle":"{bundle}","code":{quoted(get("code", ""))},"confidencePpm":'
                f'{get("confidence_ppm", 0)},"context":"{context}","endedUs":'
                f'{start + get("duration_us", 0)},"host":{host},"input":'
                f'"{items[64 * item : 64 * item + 64]}","isolation":{isolation},"item":{item},'
                f'"label":{quoted(get("label", ""))},"model":{quoted(get("model", ""))},"nonce":'
                f'"{nonce}","organisation":{organisation},"run":"{run}",{sandbox}"site":{site},'
                f'"startedUs":{start},"status":"{row["status"]}","swarm":"{swarm}","usage":'
                f'{{"costMicrousd":{get("microusd", 0)},"cpuUs":{get("cpu_us", 0)},"tokens":'
                f'{get("tokens", 0)}}}}},"predicateType":"https://swarm-ray.dev/attestation/'
                f'execution/v1","subject":[{mark}{said}"}},"name":"{name}"}}{more}]}}'
            ).encode()


def all_results(run, jobs):
    global WORK  # inherited by forked processes
    WORK, counts, named = run, Counter(), dict(run.named)
    many = jobs > 1 and len(run.settled) > 128 and sys.platform != "win32"
    with pools.get_context("fork").Pool(jobs) if many else pools.ThreadPool(1) as pool:
        for some, names in pool.map(one_result, run.settled, 64):
            counts.update(some)
            named.update(names)
    need(counts["batches"] == len({*counts} - TALLY), "A delivery of a host stands here twice.")
    return counts, named


def one_result(seq):
    try:
        kind, event, time_us, _ = read_entry("run", seq, WORK.entries[seq])
        need(kind == "attempts.settled", "its kind is hidden in it")
        counts = WORK.check_batch(seq, event, time_us)
    except FLAWS as error:
        raise Refused(error) from None
    return counts, {row[key]: key for row in event["rows"] for key in OF_ROWS if row.get(key)}


def check_effects(rows, run, stand):
    fates, named, before, (size, root) = {}, {}, -1, stand
    for row in rows:
        seq, entry, path = row["seq"], row["entry"].encode(), row["path"]
        kind, event, _, _ = read_entry("effects", seq, entry)
        need(len(row) == 3 and type(seq) is int and before < seq < size, "it has no place")
        found = root_by(leaf_hash(entry), seq, size, [unhex(one, 32) for one in path])
        need(found == root, "it was altered after it was sealed")
        key, before, intent = event["key"], seq, kind == "effect.proposed"
        mine = event["run"] == run.opened["run"] if intent else key in fates
        need(mine, "it belongs to another run")
        fates.setdefault(key, "unknown")
        if kind in ("effect.refused", "effect.ended"):
            fates[key] = FATES[FATES.index(event.get("status", "refused"))]
        named = bodies_of(event) | named
    for told in run.effects:
        same = fates.get(told["key"], "failed") == told["status"]
        need(same, f"Run and effects log contradict each other: {told['key'][:16]}.")
    return fates, named


def check(data, trusted, jobs=1):
    PLACE[:] = ["The table of contents, or the list of effects,"]
    try:
        files = read_container(data)
        contents = files.pop("manifest.json")
        about, effects = parse(contents), parse(files.pop("effects.json"))
        logs = {log: read_log(files, log, about["sizes"][log]) for log in ("admin", "index", "run")}
        stands, sealed_us, silences = read_index(logs["index"][0])
        check_stand("admin", logs["admin"][1], stands.get("admin", ()))
        roster, seal = Roster(logs["admin"][0]), files.pop("index/checkpoint")
        root = check_seal(seal, logs["index"][1], roster, sealed_us, trusted)
        check_stand("run", logs["run"][1], stands.get(about["run"], ()))
        run = Run(files, logs["run"][0], roster)
        counts, named = all_results(run, jobs)
        fates, more = check_effects(effects, run, stands.get("effects", [(0, b"")])[-1])
        named = more | named
        here = {name[7:]: files.pop(name) for name in [*files] if name.startswith("bodies/")}
        for name, body in here.items():
            same = name in named and sha(body).hex() == name
            need(same, f"The body {name[:16]} was altered, or does not belong here.")
        sizes = {name: len(entries) for name, (entries, _) in logs.items()}
        sizes["effects"] = len(effects)
        about = {"format": "swarm-ray-bundle/1", "run": run.opened["run"], "sizes": sizes}
        fits = encode(about).encode() == contents and not files
        need(fits, f"The table of contents does not fit: {[*files] or 'it says other things'}.")
        gone = Counter(field for commitment, field in named.items() if commitment not in here)
        facts = {"run": about["run"], "process": run.opened["process"], "status": run.status}
        facts |= {"entries": sizes["run"], "sealed_us": sealed_us, "root_key": root["public_key"]}
        facts |= {"trusted": trusted is not None} | {name: counts[name] for name in TALLY}
        facts |= {"effects": dict(sorted(Counter(fates.values()).items())), "bodies": len(here)}
        return facts | {"gone": dict(sorted(gone.items())), "silences": silences}
    except FLAWS as error:
        raise Refused(error) from None


def told(facts):
    sealed = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(facts["sealed_us"] // 10**6))
    yield f"UNCHANGED. This is the record of run {facts['run']} as it was sealed on {sealed}."
    yield f"{facts['process']!a}, {facts['status']}: {facts['entries']} entries, {facts['rows']} results"
    yield f"in {facts['batches']} batches, each signed by the host that computed it."
    yield f"All signatures lead to the root key {facts['root_key']}, which"
    yield "you gave." if facts["trusted"] else "is in the copy itself: compare it with its owner's."
    yield from (f"Effects outside that are {fate}: {n}." for fate, n in facts["effects"].items())
    lost = facts["unsigned"] + facts["unknown_inputs"]
    yield f"Results of which it is not shown who computed them, unsigned or without inputs: {lost}."
    yield from (f"Not in this copy any more: {n} x {field}." for field, n in facts["gone"].items())
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
        return print(f"CANNOT CHECK. {error}", file=sys.stderr) or 2
    except Refused as refused:
        print(f"REFUSED. {ascii(str(refused))[1:-1]}\nDo not rely on this copy; ask for another.")
        return 1
    return print("\n".join(told(facts))) or 0


if __name__ == "__main__":
    sys.exit(main())
