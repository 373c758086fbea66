import Glibc
import Histogram

/// Appends to a new file, flushing each write, as a log without group commit would.
struct DiskProbe {
    private static let fileBytesMaximum = 512 * 1_024 * 1_024
    private static let alignment = 4_096
    #if arch(arm64)
        private static let direct: CInt = 0o200000
    #else
        private static let direct: CInt = 0o40000
    #endif

    let directory: String
    let seconds: Double

    func measure() throws -> [MachineLimits.Disk] {
        var results: [MachineLimits.Disk] = []
        for isDirect in [false, true] {
            for bytes in [4_096, 65_536, 1_048_576] {
                if let result = try measure(isDirect: isDirect, writeBytes: bytes) { results.append(result) }
            }
        }
        return results
    }

    /// Nil where the file system has no direct writing.
    private func measure(isDirect: Bool, writeBytes: Int) throws -> MachineLimits.Disk? {
        let path = "\(directory)/martlet-bench.\(getpid())"
        let flags = O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC | (isDirect ? Self.direct : 0)
        let file = open(path, flags, 0o600)
        if file < 0 {
            if isDirect && errno == EINVAL { return nil }
            throw failure("create", path)
        }
        defer {
            close(file)
            unlink(path)
        }
        let block = UnsafeMutableRawBufferPointer.allocate(byteCount: writeBytes, alignment: Self.alignment)
        defer { block.deallocate() }
        // Not zeros, which some storage stores for free.
        for index in block.indices { block[index] = UInt8(truncatingIfNeeded: index &* 31) }

        var latency = Histogram<UInt64>(
            lowestDiscernibleValue: 1_000, highestTrackableValue: 60_000_000_000,
            numberOfSignificantValueDigits: .three)
        let start = ContinuousClock.now
        var written = 0
        while start.duration(to: .now) < .seconds(seconds), written < Self.fileBytesMaximum {
            let begin = ContinuousClock.now
            guard write(file, block.baseAddress, writeBytes) == writeBytes, fdatasync(file) == 0 else {
                throw failure("write to", path)
            }
            written += writeBytes
            _ = latency.record(UInt64(max(0, begin.duration(to: .now) / .nanoseconds(1))))
        }
        let elapsed = start.duration(to: .now) / .seconds(1)
        return MachineLimits.Disk(
            isDirect: isDirect, writeBytes: writeBytes, p50: Double(latency.valueAtPercentile(50)) / 1e6,
            p99: Double(latency.valueAtPercentile(99)) / 1e6, megabytesPerSecond: Double(written) / 1e6 / elapsed)
    }

    private func failure(_ verb: String, _ path: String) -> CommandFailure {
        CommandFailure("cannot \(verb) \(path): \(String(cString: strerror(errno)))")
    }
}
