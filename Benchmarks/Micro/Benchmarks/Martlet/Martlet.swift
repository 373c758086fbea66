import Benchmark
import MicroCases

/// Times only: what does not depend on the machine, `Benchmarks/micro.py` counts by itself.
let benchmarks: @Sendable () -> Void = {
    for one in MicroCase.all {
        Benchmark(
            one.name,
            configuration: .init(
                // The file format that `micro.py` reads must have a throughput.
                metrics: [.wallClock, .throughput], warmupIterations: 5, scalingFactor: .kilo,
                maxDuration: .seconds(1), maxIterations: 200)
        ) { benchmark in
            let call = try one.prepare()
            try call()
            benchmark.startMeasurement()
            for _ in benchmark.scaledIterations { try call() }
            benchmark.stopMeasurement()
        }
    }
}
