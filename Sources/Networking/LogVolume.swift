import Broker
import NIOCore
import SegmentLog

#if canImport(Glibc)
import Glibc
#else
import Darwin
#endif

/// The volume that a directory is on, measured on a storage thread: a file system that hangs must not stop the loop.
final class LogVolume: VolumeProbe {
    private let directory: String
    private let executor: any StorageExecutor
    private let loop: any EventLoop

    init(directory: String, executor: any StorageExecutor, eventLoop: any EventLoop) {
        self.directory = directory
        self.executor = executor
        loop = eventLoop
    }

    func measure(_ completion: @escaping (VolumeSpace?) -> Void) {
        let waiting = NIOLoopBound(completion, eventLoop: loop)
        executor.submit { [directory, loop] in
            let space = Self.space(of: directory)
            loop.execute { waiting.value(space) }
        }
    }

    private static func space(of directory: String) -> VolumeSpace? {
        var volume = statvfs()
        guard statvfs(directory, &volume) == 0 else { return nil }
        let unit = Int64(volume.f_frsize)
        return VolumeSpace(
            total: Int64(clamping: volume.f_blocks).multipliedSaturating(by: unit),
            usable: Int64(clamping: volume.f_bavail).multipliedSaturating(by: unit))
    }

    /// The directory's name from the root of the file system; as it is given if that cannot be told.
    static func absolutePath(_ directory: String) -> String {
        guard let resolved = realpath(directory, nil) else { return directory }
        defer { free(resolved) }
        return String(cString: resolved)
    }
}

extension Int64 {
    fileprivate func multipliedSaturating(by other: Int64) -> Int64 {
        let (product, overflow) = multipliedReportingOverflow(by: other)
        return overflow ? .max : product
    }
}
