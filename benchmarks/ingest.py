"""How fast and in how much memory Confide ingests, beside merely parsing the same JSON.

    python benchmarks/ingest.py [--megabytes 200] [--days 365]

Writes a gzip file of generated conversations, spread at random over the days, into a scratch folder, ingests it
in a process of its own and prints conversations and megabytes (of JSON) a second, and that process's peak
memory. The plain figure is `json.loads` and `orjson.loads` on every line of the same file.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

WORDS = ("the", "we", "they", "sister", "boss", "friend", "feel", "think", "went", "home", "again", "never", "sleep")


def write_world(path: Path, n_bytes: int, n_days: int) -> tuple[int, int]:
    """Write about n_bytes of JSON lines; return conversations and bytes, unpacked."""
    rng = random.Random(7)
    n_conversations = written = 0
    with gzip.open(path, "wt", compresslevel=1) as file:
        while written < n_bytes:
            start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(n_days * 86_400))
            messages = [
                {"role": ("user", "assistant")[i % 2], "content": " ".join(rng.choices(WORDS, k=rng.randrange(5, 90)))}
                for i in range(rng.randrange(2, 14))
            ]
            line = json.dumps(
                {
                    "conversation_id": f"c{n_conversations}",
                    "user_id": f"u{rng.randrange(50_000)}",
                    "started_at": start.isoformat(),
                    "messages": messages,
                }
            )
            file.write(line + "\n")
            n_conversations += 1
            written += len(line) + 1
    return n_conversations, written


def plain(path: Path) -> dict[str, float]:
    """Seconds to read and parse every line, keeping nothing."""
    import orjson

    seconds = {}
    for name, loads in (("json.loads", json.loads), ("orjson.loads", orjson.loads)):
        begun = time.perf_counter()
        with gzip.open(path, "rb") as file:
            for line in file:
                loads(line)
        seconds[name] = time.perf_counter() - begun
    return seconds


INGEST = """
import json, re, resource, sys, time
from pathlib import Path
from dagster_project.home import Home
from dagster_project.setting_up import create_home
from dagster_project.intake import ingest

def peak_megabytes():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1000

home = Home(Path(sys.argv[1]))
if not home.exists:
    create_home(home)
before = peak_megabytes()
begun = time.perf_counter()
report = ingest(home, [Path(sys.argv[2])])
seconds = time.perf_counter() - begun
parts = len(list(home.landing.glob("*/*.parquet")))
usage = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({
    "seconds": seconds, "cpu_seconds": usage.ru_utime + usage.ru_stime, "parts": parts,
    "accepted": report.accepted, "duplicates": report.duplicates,
    "peak_mb": peak_megabytes(), "peak_before_mb": before,
}))
"""


def ingest_apart(home: Path, path: Path) -> dict[str, float]:
    """Ingest in a fresh process; seconds, counts and peak memory in MB."""
    done = subprocess.run([sys.executable, "-c", INGEST, home, path], check=True, capture_output=True, text=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def main() -> None:
    """Measure and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--megabytes", type=int, default=200)
    arguments.add_argument("--days", type=int, default=365)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "chats.jsonl.gz"
        n_conversations, n_bytes = write_world(path, asked.megabytes * 1_000_000, asked.days)
        packed = path.stat().st_size
        print(f"{n_conversations:,} conversations, {n_bytes / 1e6:.0f} MB of JSON, {packed / 1e6:.0f} MB packed")

        def told(name: str, seconds: float) -> str:
            per_second = n_conversations / seconds
            return f"{name:15} {per_second:10,.0f} conversations/s {n_bytes / 1e6 / seconds:8.1f} MB/s"

        for name, seconds in plain(path).items():
            print(told(name, seconds))
        for name in ("ingest", "ingest again"):
            measured = ingest_apart(Path(scratch) / "home", path)
            print(f"{told(name, measured['seconds'])}   {measured['cpu_seconds']:.1f} s of processor, imports included")
            print(f"{'':15} peak {measured['peak_mb']:.0f} MB (before: {measured['peak_before_mb']:.0f})", end=", ")
            print(f"{measured['parts']:.0f} parts, {measured['accepted']:,.0f} accepted", end=", ")
            print(f"{measured['duplicates']:,.0f} duplicates")


if __name__ == "__main__":
    main()
