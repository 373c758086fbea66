import Basics
import KafkaWire

/// DescribeCluster (KIP-700): the cluster's id, controller and brokers.
extension Broker {
    func describeCluster(_ request: DescribeClusterRequest, _ context: RequestContext) {
        context.respond(DescribeClusterResponse { response in
            // Type 1 asks for brokers; 2 would ask for a controller quorum apart from them, which there is not.
            guard request.endpointType == 1 else {
                response.errorCode = .unsupportedEndpointType
                response.errorMessage = "this cluster has no controllers apart from its brokers"
                response.endpointType = request.endpointType
                return
            }
            response.clusterID = metadata.clusterID ?? ""
            response.controllerID = controllerID
            response.brokers = metadata.sortedBrokers.map { broker in
                DescribeClusterResponse.Broker {
                    $0.brokerID = broker.id.rawValue
                    $0.host = broker.host
                    $0.port = broker.port
                    $0.rack = broker.rack
                }
            }
        })
    }
}
