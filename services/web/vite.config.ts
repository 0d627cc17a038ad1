import { resolve } from "node:path";
import { defineConfig } from "vitest/config";

const here = import.meta.dirname;

/** The three pages. Everything they load is under /assets with a digest in its name, so it may be cached for ever. */
export default defineConfig({
  root: here,
  base: "/",
  publicDir: false,
  build: {
    target: "es2023",
    outDir: "dist",
    emptyOutDir: true,
    manifest: true,
    // A data: address is no 'self': the pages' content security policy would refuse it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: {
        chat: resolve(here, "chat.html"),
        desk: resolve(here, "desk.html"),
        shop: resolve(here, "shop.html"),
      },
    },
  },
  test: { environment: "happy-dom", include: ["tests/unit/**/*.test.ts"] },
});
