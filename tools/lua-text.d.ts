/** A script's text: esbuild's `text` loader and Jest's transform give it as the module's default export. */
declare module '*.lua' {
  const text: string;
  export default text;
}
