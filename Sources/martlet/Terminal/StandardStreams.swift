import Glibc
import NIOCore
import NIOPosix

/// The process's own streams, read and written on threads where they may block.
enum StandardStreams {
    /// Whether a person watches the errors: only then progress is shown.
    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    static func printError(_ text: String) {
        var text = text
        text.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
    }

    /// Writes everything to standard output.
    ///
    /// - Returns: false when nobody reads any more.
    static func write(_ bytes: ByteBuffer) async throws -> Bool {
        try await NIOThreadPool.singleton.runIfActive {
            bytes.withUnsafeReadableBytes { writeAll($0) }
        }
    }

    private static func writeAll(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var rest = bytes[...]
        while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
            let count = Glibc.write(STDOUT_FILENO, start, rest.count)
            if count < 0 && errno != EINTR { return false }
            if count > 0 { rest = rest.dropFirst(count) }
        }
        return true
    }
}

/// A file or standard input, read in pieces.
struct InputFile: Sendable {
    private static let chunkBytes = 262_144

    private let descriptor: CInt
    private let path: String

    /// - Parameter path: nil or "-" for standard input.
    init(_ path: String?) throws {
        guard let path, path != "-" else {
            descriptor = STDIN_FILENO
            self.path = "standard input"
            return
        }
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        self.path = path
        guard descriptor >= 0 else {
            throw CommandFailure("cannot read \(path): \(String(cString: strerror(errno)))")
        }
    }

    func close() {
        if descriptor != STDIN_FILENO { Glibc.close(descriptor) }
    }

    /// The next bytes; nil at the end.
    func read() async throws -> ByteBuffer? {
        try await NIOThreadPool.singleton.runIfActive { try readNow() }
    }

    private func readNow() throws -> ByteBuffer? {
        var buffer = ByteBuffer()
        while true {
            var failure: CInt = 0
            let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: Self.chunkBytes) { space in
                let count = Glibc.read(descriptor, space.baseAddress, space.count)
                failure = count < 0 ? errno : 0
                return max(0, count)
            }
            if count > 0 { return buffer }
            if failure == 0 { return nil }
            guard failure == EINTR else {
                throw CommandFailure("cannot read \(path): \(String(cString: strerror(failure)))")
            }
        }
    }
}
