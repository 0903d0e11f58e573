declare module 'swagger-ui-dist/absolute-path.js' {
  /** The folder of the package, where Swagger UI's files are. */
  export default function absolutePath(): string;
}
