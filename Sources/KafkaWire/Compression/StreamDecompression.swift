import NIOCore

/// Runs a streaming decoder over a whole block, into output that grows in steps and never beyond a limit.
enum StreamDecompression {
    /// How far one step came.
    struct Progress {
        var consumed: Int
        var produced: Int
    }

    enum Step {
        case more(Progress)
        /// A frame is complete; the decoder is ready for another.
        case frameEnd(Progress)
        case corrupt
        case failed
    }

    /// - Parameter step: decodes what it can of the input left into the free output, and says how far it came.
    static func run(
        _ bytes: ByteBuffer,
        limit: Int,
        step: (_ input: UnsafeRawBufferPointer, _ output: UnsafeMutableRawBufferPointer) -> Step
    ) throws(CompressionError) -> ByteBuffer {
        var input = bytes
        var output = ByteBuffer()
        output.reserveCapacity(min(limit, max(4 * bytes.readableBytes, 1_024)))
        while true {
            // One byte beyond the limit tells a result that is too large from one that just fits and whose decoder
            // still has to see its end.
            let room = limit - output.readableBytes + 1
            if output.writableBytes == 0 {
                output.reserveCapacity(minimumWritableBytes: min(room, output.readableBytes))
            }
            var outcome = Step.failed
            output.writeWithUnsafeMutableBytes(minimumWritableBytes: 1) { free in
                outcome = input.withUnsafeReadableBytes { source in
                    step(source, UnsafeMutableRawBufferPointer(rebasing: free.prefix(room)))
                }
                return outcome.progress.produced
            }
            guard output.readableBytes <= limit else { throw .tooLarge }
            input.moveReaderIndex(forwardBy: outcome.progress.consumed)
            switch outcome {
            case .more(let progress):
                // Neither input taken nor output made: the block ends inside a frame.
                if progress.consumed == 0 && progress.produced == 0 { throw .corrupt }
            case .frameEnd(let progress):
                if input.readableBytes == 0 { return output }
                if progress.consumed == 0 { throw .corrupt }
            case .corrupt:
                throw .corrupt
            case .failed:
                throw .failed
            }
        }
    }
}

extension StreamDecompression.Step {
    fileprivate var progress: StreamDecompression.Progress {
        switch self {
        case .more(let progress), .frameEnd(let progress): progress
        case .corrupt, .failed: StreamDecompression.Progress(consumed: 0, produced: 0)
        }
    }
}
