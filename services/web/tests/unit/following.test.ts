import { expect, test } from "vitest";
import { type FollowFrame, Following } from "../../src/desk/following.ts";

test("asks once, gives up what nobody wants, and asks again for what did not go out", () => {
  const sent: FollowFrame[] = [];
  let open = true;
  const following = new Following((frame) => {
    if (open) sent.push(frame);
    return open;
  });
  following.want(new Map([["a", 3]]));
  following.want(new Map([["a", 9]]));
  expect(sent).toEqual([{ type: "follow", conversation_id: "a", seq: 3 }]);
  open = false;
  following.want(new Map([["b", 1]]));
  open = true;
  following.want(new Map([["b", 1]]));
  expect(sent.slice(1)).toEqual([
    { type: "unfollow", conversation_id: "a" },
    { type: "follow", conversation_id: "b", seq: 1 },
  ]);
  expect(following.seen(() => 7)).toEqual({ b: 7 });
  expect(following.seen(() => undefined)).toEqual({});
  following.forget();
  following.want(new Map([["b", 7]]));
  expect(sent.at(-1)).toEqual({ type: "follow", conversation_id: "b", seq: 7 });
});
