// Who may look at this page: the password, the logins there are, and who tried in vain.

import { get, post } from "./api.js";
import { confirm } from "./confirm.js";
import { fill, h, say } from "./dom.js";
import { count, longDay, sentence, when } from "./format.js";

const MIN_PASSWORD = 8; // the hub checks it too

/** A section's content: `update(health)` for what the stream brings, `refresh()` asks who is logged in. */
export class OwnerPanel {
  #words = h("p", {});
  #trouble = h("p", { class: "trouble", role: "alert" });
  #logins = h("ul", { class: "entries" });
  #failed = h("ul", { class: "entries", "aria-label": "Who tried in vain" });
  #buttons = h("div", { class: "actions" });
  #form = passwordForm((password) => this.#setPassword(password), () => this.#showForm(false));
  #state = null;

  element = h("div", { class: "owner" }, this.#words, this.#form, this.#buttons, this.#trouble, this.#logins, this.#failed);

  update(health) {
    const lines = health?.failed ?? [];
    this.#failed.hidden = lines.length === 0;
    fill(this.#failed, lines.map((one) => h("li", {},
      h("b", {}, tried(one)), h("span", { class: "facts" }, `last ${when(one.last_ms)}`))));
  }

  async refresh() {
    try {
      this.#state = await get("/api/owner");
      say(this.#trouble, "");
    } catch (error) {
      say(this.#trouble, sentence(error.message));
      return;
    }
    const { password_set: isSet, local, logins } = this.#state;
    say(this.#words, words(isSet, local, logins.length));
    fill(this.#buttons,
      local && button(isSet ? "Change the password" : "Set a password", () => this.#showForm(true)),
      !local && button("Log out", () => this.#logOut(false)),
      logins.length > (local ? 0 : 1) && button("Log out everywhere", () => this.#everywhere()));
    this.#logins.hidden = logins.length === 0;
    fill(this.#logins, logins.map((one) => h("li", {},
      h("b", {}, one.own ? "This browser" : one.address, one.own ? null : h("small", {}, ` ${one.agent}`)),
      h("span", { class: "facts" }, `since ${when(one.created_ms)}, until ${longDay(one.expires_ms)} at the latest`))));
  }

  #showForm(on) {
    this.#form.hidden = !on;
    this.#buttons.hidden = on;
    if (on) {
      this.#form.reset();
      this.#form.querySelector("input[type=password]").focus();
    } else {
      this.#buttons.querySelector("button")?.focus();
    }
  }

  async #setPassword(password) {
    await post("/api/owner/password", { password });
    await this.refresh();
    this.#showForm(false);
  }

  async #everywhere() {
    const yes = await confirm({
      title: "Log out everywhere?",
      text: "Every browser and phone will need the password again. Devices go on listening.",
      yes: "Log out everywhere",
    });
    if (yes) await this.#logOut(true);
  }

  async #logOut(everywhere) {
    try {
      await post("/api/owner/logout", { everywhere });
    } catch (error) {
      say(this.#trouble, sentence(error.message));
      return;
    }
    if (this.#state.local) await this.refresh();
    else location.replace("/login");
  }
}

const button = (text, click) => h("button", { type: "button", on: { click } }, text);

function words(isSet, local, logins) {
  if (!isSet) {
    return local
      ? "No password is set, so other machines on the network see nothing of this hub. Set one to open this page on your phone."
      : "No password is set.";
  }
  const others = logins ? `${count(logins, "browser")} of the network ${logins === 1 ? "is" : "are"} logged in.` : "Nobody is logged in from the network.";
  return local ? `Other machines need the owner's password; this one does not. ${others}` : others;
}

function tried(one) {
  return one.kind === "password"
    ? `${count(one.count, "wrong password")} from ${one.address}`
    : `${count(one.count, "wrong token")} from ${one.address}, as device ${one.who}`;
}

function passwordForm(submit, cancel) {
  const field = (id, label) => {
    const input = h("input", { id, type: "password", autocomplete: "new-password", minlength: MIN_PASSWORD, maxlength: 256, required: true, "aria-describedby": "password-trouble" });
    return [h("label", { for: id }, label), input];
  };
  const first = field("new-password", `A password of ${MIN_PASSWORD} characters or more`);
  const second = field("same-password", "The same again");
  const trouble = h("p", { class: "trouble", id: "password-trouble", role: "alert" });
  const form = h("form", { class: "password", hidden: true },
    h("input", { type: "text", name: "username", value: "owner", autocomplete: "username", readonly: true, hidden: true }),
    first, second, trouble,
    h("div", { class: "actions" }, h("button", { type: "submit" }, "Take this password"), button("Leave it", cancel)));
  form.addEventListener("reset", () => say(trouble, ""));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const password = first[1].value;
    if (password !== second[1].value) {
      say(trouble, "The two are not the same.");
      second[1].focus();
      return;
    }
    try {
      await submit(password);
    } catch (error) {
      say(trouble, sentence(error.message));
      first[1].focus();
    }
  });
  return form;
}
