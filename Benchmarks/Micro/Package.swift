// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that Martlet does not depend on the benchmark library.
let package = Package(
    name: "martlet-micro",
    platforms: [.macOS(.v15)],
    dependencies: [
        .package(name: "martlet", path: "../.."),
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.0", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Martlet",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"), .product(name: "MicroCases", package: "martlet"),
            ],
            path: "Benchmarks/Martlet",
            swiftSettings: [.swiftLanguageMode(.v6)],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")])
    ]
)
