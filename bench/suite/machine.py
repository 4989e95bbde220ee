"""What a figure depends on: the machine, the system, the revision."""
import datetime
import os
import pathlib
import platform
import subprocess


def facts(root, scratch):
    return {
        "processor": processor(),
        "processors": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**30, 1),
        "virtual": "hypervisor" in flags(),
        "flags": " ".join(flag for flag in ("sha_ni", "avx2", "avx512f", "vaes") if flag in flags()),
        "system": f"{platform.system()} {platform.release()}",
        "distribution": distribution(),
        "file_system": run(["stat", "-f", "-c", "%T", str(scratch)]),
        "load_before": os.getloadavg()[0],
        "revision": run(["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]) + ("+" if run(["git", "-C", str(root), "status", "--porcelain"]) else ""),
        "date": datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC"),
    }


def run(command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def cpuinfo(key):
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == key:
            return value.strip()
    return ""


def processor():
    return cpuinfo("model name") or platform.machine()


def flags():
    return cpuinfo("flags").split()


def distribution():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return ""
