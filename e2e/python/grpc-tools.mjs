// node e2e/python/grpc-tools.mjs: prints the path of a Python with gRPC and its code generator.
import { virtualEnvironment } from './virtual-environment.mjs';

// As the newer client pins it.
const VERSION = '1.76.0';

console.log(virtualEnvironment('grpc-tools', [[`grpcio==${VERSION}`, `grpcio-tools==${VERSION}`]]));
