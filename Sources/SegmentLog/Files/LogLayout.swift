import Basics

/// The names of the files in a log's directory.
///
///     00000000000000000001.log      a segment, named by the index of its first entry
///     00000000000000000001.index    its sidecar, once it is sealed
///     00000000000000000001.offsets  what the state machine derived from it, once it is sealed and applied
///     00000000000000000001.free     a reclaimed segment, kept for its disk blocks until the next start
///     prepared                      the file that will be the next segment
///     state                         term, vote and flush watermark
///     lock                          held while a process uses the directory
struct LogLayout: Hashable, Sendable {
    let directory: String

    var state: String { path("state") }
    var lock: String { path("lock") }
    var prepared: String { path("prepared") }

    func path(_ name: String) -> String { directory + "/" + name }
    func segment(_ base: LogIndex) -> String { path(Self.segmentName(base)) }
    func sidecar(_ base: LogIndex) -> String { path(Self.name(base, ".index")) }
    func offsets(_ base: LogIndex) -> String { path(Self.offsetsName(base)) }
    func free(_ base: LogIndex) -> String { path(Self.name(base, ".free")) }
    func temporary(_ path: String) -> String { path + ".tmp" }

    static func segmentName(_ base: LogIndex) -> String { name(base, ".log") }
    static func offsetsName(_ base: LogIndex) -> String { name(base, ".offsets") }

    private static func name(_ base: LogIndex, _ suffix: String) -> String {
        let digits = base.description
        return String(repeating: "0", count: 20 - digits.count) + digits + suffix
    }

    /// What a directory listing says, sorted. Names that are not ours are left alone.
    struct Listing: Hashable, Sendable {
        var segments: [LogIndex] = []
        var sidecars: [LogIndex] = []
        var offsets: [LogIndex] = []
        var free: [LogIndex] = []
        var temporary: [String] = []
        var hasPrepared = false
        var hasState = false

        init(_ names: [String]) {
            for name in names.sorted() {
                switch name {
                case "prepared": hasPrepared = true
                case "state": hasState = true
                default: addNumbered(name)
                }
            }
        }

        private mutating func addNumbered(_ name: String) {
            if name.hasSuffix(".tmp") { return temporary.append(name) }
            let parts = name.split(separator: ".", maxSplits: 1)
            guard parts.count == 2, parts[0].utf8.count == 20, let number = UInt64(parts[0]),
                number >= 1, number < BlockLimits.indexMax
            else { return }
            switch parts[1] {
            case "log": segments.append(LogIndex(number))
            case "index": sidecars.append(LogIndex(number))
            case "offsets": offsets.append(LogIndex(number))
            case "free": free.append(LogIndex(number))
            default: break
            }
        }
    }
}
