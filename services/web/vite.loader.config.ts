import { resolve } from "node:path";
import { defineConfig } from "vite";

const here = import.meta.dirname;

/** The loader that other people's pages name: one classic script with a fixed name and no imports. */
export default defineConfig({
  root: here,
  publicDir: false,
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: false,
    reportCompressedSize: false,
    lib: {
      entry: resolve(here, "src/chat/loader.ts"),
      formats: ["iife"],
      name: "santralChat",
      fileName: () => "santral-chat.js",
    },
  },
});
