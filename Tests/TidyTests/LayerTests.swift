import Testing

/// Which module may import which: the layers of docs/architecture.md.
@Suite struct LayerTests {
    /// The modules of this package that each of them may import. Nothing imports upward, and nothing sideways.
    static let layers: [String: Set<String>] = [
        "Basics": [],
        "RaftCore": ["Basics"],
        "SegmentLog": ["Basics", "CMartlet", "CZstd"],
        "Raft": ["Basics", "CMartlet", "RaftCore", "SegmentLog"],
        "KafkaWire": ["Basics", "CMartlet", "CZstd", "CCodecs"],
        "Broker": ["Basics", "RaftCore", "SegmentLog", "Raft", "KafkaWire"],
        "Networking": ["Basics", "RaftCore", "SegmentLog", "Raft", "KafkaWire", "Broker"],
        "Simulation": ["Basics", "RaftCore", "SegmentLog", "Raft", "KafkaWire", "Broker"],
        "MartletClient": ["Basics", "KafkaWire"],
        "RaftCounter": ["Basics", "RaftCore", "SegmentLog", "Raft"],
        "MartletSim": ["Basics", "Simulation"],
        "martlet": ["Basics", "CMartlet", "SegmentLog", "KafkaWire", "Broker", "Networking", "MartletClient"],
    ]

    /// Who may import what is not ours. What is missing here, everybody may.
    static let outside: [String: Set<String>] = [
        "NIOCore": [
            "SegmentLog", "Raft", "KafkaWire", "Broker", "Networking", "Simulation", "MartletClient",
            "RaftCounter", "martlet",
        ],
        "NIOPosix": ["Networking", "MartletClient", "RaftCounter", "martlet"],
        "NIOEmbedded": [],
        "Foundation": ["martlet"],
        "FoundationEssentials": ["martlet"],
        // An event loop's protocol names it.
        "Dispatch": ["Simulation"],
        // The system: files, threads, sockets, clocks and signals.
        "Glibc": ["SegmentLog", "Raft", "Networking", "MartletClient", "MartletSim", "martlet"],
        "Darwin": ["SegmentLog", "Raft", "Networking", "MartletClient", "MartletSim", "martlet"],
        // The algorithm and the codec are values: they guard nothing and log nothing.
        "Synchronization": ["SegmentLog", "Raft", "Networking", "MartletClient", "MartletSim", "martlet"],
        "Logging": ["Raft", "Broker", "Networking", "Simulation", "MartletClient", "RaftCounter", "martlet"],
    ]

    @Test func `every module has its place in the layers`() {
        #expect(Repository.modules.subtracting(Self.layers.keys) == [])
        for (module, allowed) in Self.layers { #expect(!allowed.contains(module)) }
    }

    @Test func `modules import only what lies below them`() {
        let own = Set(Self.layers.keys).union(["CMartlet", "CZstd", "CCodecs"])
        for file in Repository.sources {
            for imported in file.imports {
                let isAllowed =
                    own.contains(imported)
                    ? Self.layers[file.module]?.contains(imported) == true
                    : Self.outside[imported]?.contains(file.module) != false
                #expect(isAllowed, "\(file.path) imports \(imported)")
            }
        }
    }
}
