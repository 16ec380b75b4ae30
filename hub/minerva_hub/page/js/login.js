// The login page: asks for the password, or says where to set one.

import { get, post } from "./api.js";
import { say } from "./dom.js";
import { sentence } from "./format.js";

const form = document.getElementById("login");
const unset = document.getElementById("unset");
const password = document.getElementById("password");
const trouble = document.getElementById("trouble");
const button = form.querySelector("button");

async function begin() {
  const unreachable = document.getElementById("unreachable");
  try {
    const state = await get("/api/owner");
    if (state.logged_in || state.local) return void location.replace("/");
    form.hidden = !state.password_set;
    unset.hidden = state.password_set;
    say(unreachable, "");
    if (state.password_set) password.focus();
  } catch (error) {
    say(unreachable, `${error.message} Reload the page to try again.`);
  }
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  button.disabled = true;
  say(trouble, "");
  password.removeAttribute("aria-invalid");
  try {
    await post("/api/owner/login", { password: password.value });
    location.replace("/");
  } catch (error) {
    say(trouble, sentence(error.message));
    password.setAttribute("aria-invalid", "true");
    button.disabled = false;
    password.focus();
    password.select();
  }
});

document.getElementById("again").addEventListener("click", begin);

begin();
