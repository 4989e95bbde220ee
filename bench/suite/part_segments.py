"""bench/end, the journal's segments: fresh ones (nothing is recycled, each is made anew) and recycled ones, told apart,
each over at least 21 rotations, with seals on."""
import daemon


def run(options, figures, data):
    size, rotations_wanted = ("16M", 21) if options.quick else ("64M", 25)
    for kind, keep in (("fresh", "1T"), ("recycled", "4M")):
        with daemon.Folder(options, "segments") as folder, daemon.Daemon(options, folder, ("--segment-size", size, "--journal-keep", keep)) as served:
            with daemon.Load(options, served.store, min(options.accounts, 100000)) as load:
                if kind == "recycled":  # the first ones are fresh here too
                    load.run(batch=1024, connections=4, in_flight=4, seconds=1.5, warmup=0)
                begin, rates = served.status()["journal"]["rotations"], []
                while served.status()["journal"]["rotations"] - begin < rotations_wanted and len(rates) < 60:
                    rates.append(load.run(batch=1024, connections=4, in_flight=4, seconds=1, warmup=0)["verifications_per_s"])
                data[kind] = {"rotations": served.status()["journal"]["rotations"] - begin, "segment": size}
                figures.add("segments", f"{kind} segments of {size}, batch 1024, 4 connections", rates, "verifications/s", "higher",
                            f"{data[kind]['rotations']} rotations")
                if data[kind]["rotations"] < rotations_wanted:
                    figures.fail("segments", f"{kind} segments: {data[kind]['rotations']} rotations in {len(rates)} s, {rotations_wanted} were wanted")
