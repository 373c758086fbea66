import Glibc

/// Whether this bug is switched on: the one that the environment variable `PLANTED_BUG` names.
public func planted(_ name: String) -> Bool { name == plantedBug }

private let plantedBug = getenv("PLANTED_BUG").map { String(cString: $0) }
