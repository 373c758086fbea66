import KafkaWire

/// ApiVersions (KIP-35, KIP-511): what this broker can do.
extension Broker {
    func apiVersions(_ request: ApiVersionsRequest, _ context: RequestContext) {
        if context.version >= 3 {
            guard Self.isSoftwareName(request.clientSoftwareName), Self.isSoftwareName(request.clientSoftwareVersion)
            else {
                context.respond(ApiVersionsResponse { $0.errorCode = .invalidRequest })
                return
            }
        }
        context.respond(ApiVersionsResponse { response in
            response.apis = ApiVersionTable.supported.map(Self.entry)
            Self.addFeatures(to: &response)
        })
    }

    /// Says that groups of the new protocol are on (`group.version` 1, KIP-848). They cannot be turned off, so the
    /// epoch of the finalized features never changes.
    private static func addFeatures(to response: inout ApiVersionsResponse) {
        response.supportedFeatures = [
            ApiVersionsResponse.SupportedFeature {
                $0.name = "group.version"
                $0.minVersion = 1
                $0.maxVersion = 1
            }
        ]
        response.finalizedFeaturesEpoch = 0
        response.finalizedFeatures = [
            ApiVersionsResponse.FinalizedFeature {
                $0.name = "group.version"
                $0.minVersionLevel = 1
                $0.maxVersionLevel = 1
            }
        ]
    }

    /// An ApiVersions request of a version we do not know: answered in version 0, with our range of this API alone,
    /// from which the client picks a version it has. Nothing behind the first eight bytes was read.
    func refuseApiVersions(_ context: RequestContext) {
        let old = RequestContext(
            header: RequestHeader(
                api: .apiVersions, version: 0, correlationID: context.header.correlationID, clientID: nil),
            frame: context.frame, body: context.body, origin: context.origin)
        old.respond(ApiVersionsResponse { response in
            response.errorCode = .unsupportedVersion
            response.apis = ApiVersionTable[.apiVersions].map { [Self.entry($0)] } ?? []
        })
    }

    private static func entry(_ support: ApiSupport) -> ApiVersionsResponse.ApiVersion {
        ApiVersionsResponse.ApiVersion {
            $0.api = support.api
            $0.minVersion = support.advertised.lowerBound
            $0.maxVersion = support.advertised.upperBound
        }
    }

    /// Kafka's `[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?`.
    private static func isSoftwareName(_ name: String) -> Bool {
        func isAlphanumeric(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                return true
            default: return false
            }
        }
        guard let first = name.utf8.first, let last = name.utf8.last else { return false }
        return isAlphanumeric(first) && isAlphanumeric(last)
            && name.utf8.allSatisfy { isAlphanumeric($0) || $0 == UInt8(ascii: ".") || $0 == UInt8(ascii: "-") }
    }
}
