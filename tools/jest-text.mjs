// Loads a .lua file in Jest as the bundler does (esbuild's `text` loader): a module whose default export is its text.
export default {
  process: (text) => ({ code: `export default ${JSON.stringify(text)};` }),
};
