import { expect, test } from "vitest";
import { linkify } from "../../src/ui/linkify.ts";

const links = (text: string) =>
  linkify(text)
    .filter((piece) => piece.href)
    .map((piece) => piece.text);

test("joins back to the text it came from", () => {
  const text = "Bakın: https://a.example/x?y=1, (http://b.example/(z)) ve javascript:alert(1) son.";
  expect(
    linkify(text)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
});

test("leaves the sentence's punctuation outside of the link", () => {
  expect(links("Gidin https://a.example/x. Sonra (https://b.example/y), bitti")).toEqual([
    "https://a.example/x",
    "https://b.example/y",
  ]);
  expect(links("https://tr.wikipedia.example/wiki/Kahve_(bitki)")).toEqual([
    "https://tr.wikipedia.example/wiki/Kahve_(bitki)",
  ]);
});

test.each([
  "javascript:alert(1)",
  "data:text/html,<script>",
  "vbscript:x",
  "//a.example",
  "ftp://a.example",
  "https://",
])("makes no link of %s", (text) => {
  expect(links(text)).toEqual([]);
});

test("a row of full stops takes time that grows with it, and a very long address is no link", () => {
  expect(links(`http://a.example${".".repeat(200_000)}x`)).toEqual([]);
  expect(links(`http://a.example${".".repeat(100)} x`)).toEqual(["http://a.example"]);
});

test("markup stays text", () => {
  expect(linkify('<img src=x onerror="alert(1)">')).toEqual([{ text: '<img src=x onerror="alert(1)">' }]);
});
