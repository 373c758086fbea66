// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let deque: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

/// Targets in the order of the layers: a target may depend only on targets above it (docs/architecture.md).
let package = Package(
    name: "martlet",
    platforms: [.macOS(.v15)],
    products: [
        .library(name: "RaftCore", targets: ["RaftCore"]),
        .library(name: "SegmentLog", targets: ["SegmentLog"]),
        .library(name: "Raft", targets: ["Raft"]),
        .library(name: "KafkaWire", targets: ["KafkaWire"]),
        .library(name: "Broker", targets: ["Broker"]),
        .library(name: "MartletClient", targets: ["MartletClient"]),
        .executable(name: "martlet-sim", targets: ["martlet-sim"]),
        .executable(name: "martlet", targets: ["martlet"]),
        .executable(name: "null-broker", targets: ["null-broker"]),
        .executable(name: "raft-bench", targets: ["raft-bench"]),
        .library(name: "MicroCases", targets: ["MicroCases"]),
        .executable(name: "micro-counts", targets: ["micro-counts"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.6.3"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.5.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.8.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: [
        .target(name: "CMartlet"),
        .systemLibrary(name: "CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .systemLibrary(name: "CCodecs", providers: [.apt(["zlib1g-dev", "liblz4-dev", "libsnappy-dev"])]),
        .target(name: "Basics", swiftSettings: strict),
        .target(name: "RaftCore", dependencies: ["Basics", deque], swiftSettings: strict),
        .target(
            name: "SegmentLog", dependencies: ["Basics", "CMartlet", "CZstd", nioCore, nioLocks, deque],
            swiftSettings: strict),
        .target(name: "Raft", dependencies: ["RaftCore", "SegmentLog", nioCore, deque, logging], swiftSettings: strict),
        .executableTarget(
            name: "raft-counter", dependencies: ["Raft", nioPosix, logging], path: "Sources/RaftCounter",
            swiftSettings: strict),
        .target(name: "KafkaWire", dependencies: ["Basics", "CMartlet", "CZstd", "CCodecs", nioCore], swiftSettings: strict),
        .target(name: "Broker", dependencies: ["Raft", "KafkaWire", nioCore, deque, logging], swiftSettings: strict),
        .target(name: "Networking", dependencies: ["Broker", nioCore, nioPosix, logging], swiftSettings: strict),
        .target(
            name: "Simulation",
            dependencies: ["Broker", nioCore, logging, .product(name: "HeapModule", package: "swift-collections")],
            swiftSettings: strict
        ),
        .target(
            name: "MartletClient",
            dependencies: [
                "KafkaWire", nioCore, nioPosix, deque, logging,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "martlet-sim",
            dependencies: ["Simulation", "Basics", .product(name: "ArgumentParser", package: "swift-argument-parser")],
            path: "Sources/MartletSim", swiftSettings: strict),
        .executableTarget(
            name: "martlet",
            dependencies: [
                "Networking", "MartletClient",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "SystemPackage", package: "swift-system"),
                logging,
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "null-broker",
            dependencies: [
                "Networking", "KafkaWire", "SegmentLog", "Basics", "CMartlet", nioCore, nioPosix, deque,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/NullBroker", swiftSettings: strict),
        .executableTarget(
            name: "raft-bench",
            dependencies: [
                "Networking", "Raft", "RaftCore", "SegmentLog", "Basics", nioCore, nioPosix, logging,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/RaftLibrary/Martlet", swiftSettings: strict),
        .target(
            name: "MicroCases",
            dependencies: [
                "Networking", "Broker", "Raft", "RaftCore", "SegmentLog", "KafkaWire", "Basics", nioCore, nioEmbedded,
                logging,
            ],
            path: "Benchmarks/MicroCases", swiftSettings: strict),
        .target(name: "AllocationCounter", path: "Benchmarks/AllocationCounter"),
        .executableTarget(
            name: "micro-counts",
            dependencies: [
                "MicroCases", "AllocationCounter", .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            path: "Benchmarks/MicroCounts", swiftSettings: strict),

        .testTarget(
            name: "RaftCoreTests", dependencies: ["RaftCore", "Basics"], exclude: ["Scripts"], swiftSettings: strict),
        .testTarget(
            name: "SegmentLogTests",
            dependencies: ["SegmentLog", "Basics", "CMartlet", nioCore, nioLocks, nioEmbedded, nioPosix],
            exclude: ["Golden"], swiftSettings: strict),
        .testTarget(
            name: "KafkaWireTests", dependencies: ["KafkaWire", "Basics", "CMartlet", nioCore], exclude: ["Fixtures"],
            swiftSettings: strict),
        .testTarget(
            name: "RaftTests",
            dependencies: [
                "Raft", "RaftCore", "SegmentLog", "Basics", nioCore, nioEmbedded, nioPosix, logging, deque,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "NetworkingTests",
            dependencies: [
                "Networking", "Broker", "KafkaWire", "Raft", "RaftCore", "SegmentLog", "Basics", nioCore, nioEmbedded,
                nioPosix, logging,
            ],
            swiftSettings: strict),
        .testTarget(
            name: "BrokerTests", dependencies: ["Broker", "Basics", nioCore, deque, logging], swiftSettings: strict),
        .testTarget(
            name: "SimulationTests", dependencies: ["Simulation", "Broker", "RaftCore", "Basics"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
        .testTarget(
            name: "MartletClientTests",
            dependencies: [
                "MartletClient", "KafkaWire", "Basics", nioCore, nioPosix, nioEmbedded, logging,
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strict),
        .testTarget(
            name: "MartletCommandTests",
            dependencies: [
                "martlet", "MartletClient", "KafkaWire", "Basics", nioCore,
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),
    ]
)

// Fuzzers need instrumentation and a main function of their own: `Tests/Fuzz/fuzz.sh build` asks for them.
if Context.environment["MARTLET_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "martlet-fuzz",
            dependencies: [
                "Simulation", "Networking", "Broker", "Raft", "RaftCore", "SegmentLog", "KafkaWire", "Basics", "CMartlet",
                nioCore,
            ],
            path: "Tests/Fuzz", exclude: ["Corpus", "fuzz.sh"],
            swiftSettings: strict,
            linkerSettings: [.unsafeFlags(["-sanitize=fuzzer", "-use-ld=lld"])]))
}
