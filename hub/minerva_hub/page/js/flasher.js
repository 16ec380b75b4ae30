// The page that flashes boards: the images that this hub has, each with ESP Web Tools' button.

import { fill, h } from "./dom.js";

const trouble = document.getElementById("trouble");
const images = document.getElementById("images");

function say(text) {
  trouble.textContent = text;
  trouble.hidden = false;
}

function card(image) {
  const button = h("esp-web-install-button", { manifest: image.manifest },
    h("button", { slot: "activate", type: "button" }, `Connect and install on ${image.family}`),
    h("p", { slot: "unsupported" }, "This browser has no Web Serial: use Chrome, Edge or Firefox on a computer, or minerva device flash."),
    h("p", { slot: "not-allowed" }, "Browsers allow USB on https:// and on the hub's own machine only."));
  return h("li", {},
    h("h3", {}, `${image.name} ${image.version}`),
    h("p", {}, `For ${image.family}: ${image.boards.join(", ")}`),
    button);
}

async function show() {
  const answer = await fetch("/flasher/images.json");
  if (!answer.ok) return say(`The hub answers with ${answer.status}.`);
  const { items } = await answer.json();
  if (items.length === 0) {
    say("No image for a new board was published to this hub yet: docs/ota.md, Flashing, says how one is made.");
    return;
  }
  await import("../vendor/esp-web-tools/install-button.js");
  fill(images, items.map(card));
}

show().catch((problem) => say(`The images cannot be shown: ${problem.message}`));
