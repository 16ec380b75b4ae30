// A question with two answers, in a real dialog.

import { h } from "./dom.js";

/** Ask; resolves to whether the owner agreed. Escape and the quiet button mean no. */
export function confirm({ title, text, yes, no = "Keep it", danger = true }) {
  return new Promise((resolve) => {
    const close = (answer) => () => {
      dialog.close();
      dialog.remove();
      resolve(answer);
    };
    const dialog = h(
      "dialog", { "aria-labelledby": "ask-title", "aria-describedby": "ask-text", on: { cancel: (event) => {
        event.preventDefault();
        close(false)();
      } } },
      h("h2", { id: "ask-title" }, title),
      h("p", { id: "ask-text" }, text),
      h(
        "div", { class: "actions" },
        h("button", { type: "button", autofocus: true, on: { click: close(false) } }, no),
        h("button", { type: "button", class: danger ? "danger" : null, on: { click: close(true) } }, yes),
      ),
    );
    document.body.append(dialog);
    dialog.showModal();
  });
}
